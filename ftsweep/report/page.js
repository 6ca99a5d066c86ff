"use strict";
(() => {
  // The row of the trial that a point stands for, by its mark's number or else its line's.
  const showTrial = (point) => {
    const number = Array.isArray(point.customdata) ? point.customdata[0] : (point.customdata ?? point.data.meta);
    if (typeof number !== "number") return;
    const told = document.getElementById("asked-trial");
    const row = document.getElementById(`trials-${number}`);
    for (const other of document.querySelectorAll("tr.asked")) other.classList.remove("asked");
    told.textContent = row ? `Trial ${number}` : `Trial ${number} is not among the rows here.`;
    row?.classList.add("asked");
    (row ?? told).scrollIntoView({ block: "center" });
  };

  // Parallel coordinates: each axis keeps the stretch that was dragged over, and a line is seen that passes all of them.
  const brush = (plot) => {
    const kept = new Map();
    const draw = () => {
      const passes = (trace) =>
        [...kept].every(([axis, [low, high]]) => {
          const [name, place] = axis.split(":");
          const y = trace.y[Number(place)];
          return (trace.yaxis ?? "y") !== name || (y !== null && y >= low && y <= high);
        });
      const traces = plot.data.map((trace, index) => index);
      Plotly.restyle(plot, { opacity: plot.data.map((trace) => (passes(trace) ? 1 : 0.06)) }, traces);
    };
    plot.on("plotly_selected", (event) => {
      if (!event?.range) return;
      for (const [name, range] of Object.entries(event.range)) {
        if (!name.startsWith("y")) continue;
        const [left, right] = event.range[name.replace("y", "x")].map(Number);
        for (let place = Math.ceil(Math.min(left, right)); place <= Math.max(left, right); place += 1)
          kept.set(`${name}:${place}`, [Math.min(...range), Math.max(...range)]);
      }
      draw();
    });
    plot.on("plotly_deselect", () => {
      kept.clear();
      draw();
    });
  };

  const config = JSON.parse(document.getElementById("plot-config").textContent);
  const plots = [];
  const waiting = new Set(document.querySelectorAll("section.figure"));
  const draw = (section) => {
    if (!waiting.delete(section)) return;
    const data = JSON.parse(section.querySelector(".figure-data").textContent);
    const plot = section.querySelector(".plot");
    Plotly.newPlot(plot, data.data, data.layout, config);
    plots.push(plot);
    plot.on("plotly_click", (event) => showTrial(event.points[0]));
    if (data.layout.meta?.brush) brush(plot);
  };

  // What is seen first is drawn first; the rest when the browser has nothing else to do, one figure at a time. Of a large
  // study the rest takes seconds: there a figure is drawn when it comes near.
  const observer = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
    { rootMargin: "300px" },
  );
  waiting.forEach((section) => observer.observe(section));
  const whenIdle = (work) =>
    window.requestIdleCallback ? requestIdleCallback(work, { timeout: 1000 }) : setTimeout(work, 50);
  const drawRest = () => {
    const [section] = waiting;
    if (section === undefined) return;
    draw(section);
    whenIdle(drawRest);
  };
  if (!document.querySelector("main").hasAttribute("data-large"))
    window.addEventListener("load", () => whenIdle(drawRest));

  // A sheet of paper is narrower than a window: without this the figures would be cut off at its edge.
  const printWidth = 690;
  window.addEventListener("beforeprint", () => {
    waiting.forEach(draw);
    for (const plot of plots) Plotly.relayout(plot, { width: printWidth, autosize: false });
  });
  window.addEventListener("afterprint", () => {
    for (const plot of plots) Plotly.relayout(plot, { width: null, autosize: true });
  });

  const compare = (left, right) => {
    const [a, b] = [Number(left), Number(right)];
    return Number.isNaN(a) || Number.isNaN(b) ? left.localeCompare(right) : a - b;
  };
  const sort = (table, index, direction) => {
    const body = table.tBodies[0];
    const key = (row) => row.cells[index].dataset.order;
    const rows = [...body.rows].sort((left, right) => {
      const [a, b] = [key(left), key(right)];
      if (a === "" || b === "") return (a === "") - (b === "");
      return direction * compare(a, b);
    });
    body.append(...rows);
  };
  for (const button of document.querySelectorAll("table.trials th button")) {
    button.addEventListener("click", () => {
      const header = button.parentElement;
      const isAscending = header.getAttribute("aria-sort") === "ascending";
      for (const other of header.parentElement.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
      header.setAttribute("aria-sort", isAscending ? "descending" : "ascending");
      sort(header.closest("table"), header.cellIndex, isAscending ? -1 : 1);
    });
  }
})();
