"use strict";
(() => {
  const config = JSON.parse(document.getElementById("plot-config").textContent);
  const plots = [];
  for (const section of document.querySelectorAll("section.figure")) {
    const data = JSON.parse(section.querySelector(".figure-data").textContent);
    const plot = section.querySelector(".plot");
    Plotly.newPlot(plot, data.data, data.layout, config);
    plots.push(plot);
  }

  // A sheet of paper is narrower than a window: without this the figures would be cut off at its edge.
  const printWidth = 690;
  window.addEventListener("beforeprint", () => {
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
