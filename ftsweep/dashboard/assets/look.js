// What a person has done to a figure stays when it is drawn anew: zoom, mode, hidden groups, the box of a selection.
// Dash writes a zoom back into the figure that it holds, after which Plotly's own `uirevision` takes it for drawn.
(function () {
  "use strict";
  const asDrawn = {}; // by the figure's id: its layout as the server drew it last

  function isZoomed(shown, drawn) {
    if (!shown || !shown.range || shown.autorange === true) return false;
    if (!drawn || !drawn.range) return shown.autorange === false;
    return shown.range.some((end, index) => end !== drawn.range[index]);
  }

  function whenIdle(figure) {
    return new Promise((resolve) => window.requestIdleCallback(() => resolve(figure), { timeout: 2000 }));
  }

  function groupOf(trace) {
    return trace.legendgroup || trace.name;
  }

  function keepLook(figure, shown, before) {
    const layout = Object.assign({}, figure.layout);
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
      if (isZoomed(shown.layout[name], before[name])) {
        layout[name] = Object.assign({}, layout[name], { range: shown.layout[name].range, autorange: false });
      }
    }
    if (shown.layout.dragmode && shown.layout.dragmode !== before.dragmode) layout.dragmode = shown.layout.dragmode;
    if (shown.layout.selections) layout.selections = shown.layout.selections;
    const hidden = new Set(shown.data.filter((trace) => trace.visible === "legendonly").map(groupOf));
    const data = figure.data.map((trace) =>
      hidden.has(groupOf(trace)) ? Object.assign({}, trace, { visible: "legendonly" }) : trace
    );
    return { data: data, layout: layout };
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    ftsweep: Object.assign({}, (window.dash_clientside || {}).ftsweep, {
      draw: function (figure) {
        if (!figure) return window.dash_clientside.no_update;
        const id = window.dash_clientside.callback_context.outputs_list.id;
        if (figure.isThere) {
          asDrawn[id] = figure.layout; // it came with the page
          return window.dash_clientside.no_update;
        }
        const shown = document.querySelector("#" + id + " .js-plotly-plot");
        const before = asDrawn[id];
        asDrawn[id] = figure.layout;
        if (id === "right" && !before) return whenIdle(figure); // what is seen first is drawn first
        const isSame = shown && shown.layout && before && before.uirevision === figure.layout.uirevision;
        return isSame ? keepLook(figure, shown, before) : figure;
      },
    }),
  });
})();
