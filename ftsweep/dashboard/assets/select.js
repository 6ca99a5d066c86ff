// One selection for both figures, the table and the address. Plain functions that Dash calls; nothing is evaluated.
(function () {
  "use strict";
  const FAINT = 0.1;
  const plots = ["left", "right"];
  let chosen = []; // trial numbers, ascending

  function plot(side) {
    const found = document.querySelector("#" + side + " .js-plotly-plot");
    return found && found.data ? found : null;
  }

  // Whether the figure draws some of many trials, and the server knows what lies in a region of it.
  function isOfMany(drawn) {
    return drawn.layout.meta !== undefined && drawn.layout.meta.view !== undefined;
  }

  function numbersOf(event, side) {
    const drawn = plot(side);
    const numbers = new Set();
    for (const point of (event && event.points) || []) {
      if (typeof point.customdata === "number") {
        numbers.add(point.customdata);
      } else if (drawn && drawn.data[point.curveNumber] && Array.isArray(drawn.data[point.curveNumber].meta)) {
        numbers.add(drawn.data[point.curveNumber].meta[0]);
      }
    }
    return [...numbers].sort((a, b) => a - b);
  }

  function inShort(numbers) {
    const spans = [];
    for (const number of numbers) {
      const last = spans[spans.length - 1];
      if (last && number === last[1] + 1) last[1] = number;
      else spans.push([number, number]);
    }
    return spans.map(([low, high]) => (high > low ? low + "-" + high : String(low))).join(",");
  }

  function isSame(one, other) {
    return one.length === other.length && one.every((number, index) => number === other[index]);
  }

  function mark(side, numbers, keepsBox) {
    const drawn = plot(side);
    if (!drawn) return;
    const selected = new Set(numbers);
    const points = [], pointTraces = [], opacities = [], lineTraces = [];
    drawn.data.forEach((trace, index) => {
      if (trace.customdata && trace.mode !== "lines") {
        pointTraces.push(index);
        const inside = [];
        trace.customdata.forEach((number, place) => selected.has(number) && inside.push(place));
        points.push(numbers.length ? inside : null);
      } else if (Array.isArray(trace.meta)) {
        lineTraces.push(index);
        opacities.push(numbers.length && !selected.has(trace.meta[0]) ? FAINT : trace.meta[1]);
      }
    });
    const isRedrawn = isOfMany(drawn); // the server draws others now
    if (pointTraces.length && !isRedrawn) window.Plotly.restyle(drawn, { selectedpoints: points }, pointTraces);
    if (lineTraces.length && !isRedrawn) window.Plotly.restyle(drawn, { opacity: opacities }, lineTraces);
    if (!keepsBox && drawn.layout.selections && drawn.layout.selections.length) {
      window.Plotly.relayout(drawn, { selections: [] });
    }
  }

  function gridApi() {
    const grid = window.dash_ag_grid;
    return grid && document.getElementById("grid") ? grid.getApi("grid") : null;
  }

  // The trials that pass the table's filters.
  function passing() {
    const found = [];
    gridApi().forEachNodeAfterFilter((node) => found.push(node.data.trial));
    return found.sort((a, b) => a - b);
  }

  function bestTrials(count) {
    const ranked = [];
    gridApi().forEachNode((node) => typeof node.data.order === "number" && ranked.push(node.data));
    ranked.sort((a, b) => a.order - b.order || a.trial - b.trial);
    return ranked.slice(0, count).map((row) => row.trial).sort((a, b) => a - b);
  }

  // Of a figure that draws some of many trials: all that lie in the region, which the server knows.
  function inRegion(event, side, study) {
    const about = plot(side).layout.meta;
    const shape = event.range || event.lassoPoints;
    const [x, y] = ["x", "y"].map((letter) => Object.keys(shape).find((key) => key.startsWith(letter)));
    const step = Math.max(1, Math.ceil(shape[x].length / 60));
    const thin = (values) => values.filter((_, index) => index % step === 0).map((value) => Number(value).toPrecision(6));
    const query = new URLSearchParams({
      view: about.view, x: about.x, y: about.y, panel: x.slice(1) || "1",
      kind: event.range ? "box" : "lasso", xs: thin(shape[x]).join(), ys: thin(shape[y]).join(),
    });
    return fetch("/region/" + encodeURIComponent(study) + "?" + query).then((answer) => answer.json());
  }

  function trigger() {
    const found = window.dash_clientside.callback_context.triggered;
    return found.length ? found[0].prop_id : "";
  }

  function keep() {
    return window.dash_clientside.no_update;
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    ftsweep: Object.assign({}, (window.dash_clientside || {}).ftsweep, {
      // Whatever selects gives trial numbers; `by` says what it was, so that it is not told again.
      choose: function (left, right, rows, filters, filled, cleared, top, now, study) {
        const by = trigger();
        const isFiltered = filters && Object.keys(filters).length > 0;
        let numbers = null;
        if (by.startsWith("left.") || by.startsWith("right.")) {
          const side = by.split(".")[0];
          const event = side === "left" ? left : right;
          const isByHand = event && (event.range || event.lassoPoints);
          if (isByHand && isOfMany(plot(side))) {
            return inRegion(event, side, study).then((found) => (isSame(found, now.trials) ? keep() : { trials: found, by: side }));
          }
          // A box that we took away, or that is drawn anew in a resized window, is told, too: without a region.
          if (!isByHand) numbers = by.endsWith(".selectedData") && now.by === side && !event ? [] : null;
          else numbers = numbersOf(event, side);
        } else if (by === "grid.selectedRows") {
          if (!rows || Array.isArray(rows)) numbers = (rows || []).map((row) => row.trial).sort((a, b) => a - b);
        } else if (by === "grid.filterModel" && filled) {
          if (isFiltered) numbers = passing();
          else if (now.by === "filter") numbers = [];
        } else if (by === "rows.data") {
          const follows = now.by === "filter" || (now.by === "address" && !now.trials.length);
          if (isFiltered && follows) numbers = passing();
        } else if (by === "clear.n_clicks") {
          numbers = [];
        } else if (by === "top.value") {
          numbers = bestTrials(top || 0);
        }
        if (numbers === null || isSame(numbers, now.trials)) return keep();
        const name = by === "grid.filterModel" || by === "rows.data" ? "filter" : by.split(".")[0];
        return { trials: numbers, by: name };
      },

      // Show the selection everywhere else, and write it into the address.
      show: function (selection, left, right, x, y, filters, filled, study) {
        const numbers = selection.trials;
        const isNew = !isSame(numbers, chosen) || trigger() === "";
        if (isNew) {
          chosen = numbers;
          for (const side of plots) mark(side, numbers, selection.by === side);
        }
        const isFirst = trigger() === "rows.data" && filled && filled.isWhole; // rows that nobody could tick before
        if ((isNew && selection.by !== "grid") || (isFirst && numbers.length)) {
          window.dash_clientside.set_props("grid", { selectedRows: { ids: numbers.map(String) } });
        }
        const query = new URLSearchParams();
        if (left !== "history") query.set("left", left);
        if (right !== "learning_curves") query.set("right", right);
        if (x && (left === "xy" || right === "xy")) query.set("x", x);
        if (y && (left === "xy" || right === "xy")) query.set("y", y);
        if (numbers.length) query.set("sel", inShort(numbers));
        if (filters && Object.keys(filters).length) query.set("filter", JSON.stringify(filters));
        const text = query.toString();
        const address = window.location.pathname + (text ? "?" + text : "");
        if (address !== window.location.pathname + window.location.search) {
          window.history.replaceState(window.history.state, "", address);
        }
        const path = "/study/" + encodeURIComponent(study);
        const csv = path + "/trials.csv" + (numbers.length ? "?trials=" + numbers.join(",") : "");
        const pairs = numbers.slice(0, 12).map((number) => "trial=" + encodeURIComponent(study) + ":" + number);
        if (numbers.length > pairs.length) pairs.push("of=" + numbers.length);
        const count = filled ? filled.count : "";
        const words = numbers.length ? numbers.length + " of " + count + " trials selected" : "no trial selected";
        return [words, csv, "/difference?" + pairs.join("&"), numbers.length < 2 ? "off" : "", numbers.length === 0];
      },

      click: function (left, right, study) {
        const side = trigger().split(".")[0];
        const event = side === "left" ? left : right;
        const found = numbersOf(event, side);
        if (!found.length) return [keep(), keep(), keep()];
        const path = "/study/" + encodeURIComponent(study) + "/trial/" + found[0];
        return ["Open trial " + found[0], path, { display: "inline" }];
      },
    }),
  });
})();
