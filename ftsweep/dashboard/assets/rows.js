// The rows of the table: all of them once, then those that changed. They go to the grid past Dash, which would compare
// thousands of rows at every change of any of its properties.
(function () {
  "use strict";
  const held = new WeakMap(); // by grid: the version of its rows, and how many there are
  let filling = Promise.resolve();

  function names(columns) {
    return JSON.stringify(columns.map((column) => [column.field, column.headerName, column.filter]));
  }

  function whenIdle() {
    return new Promise((resolve) => window.requestIdleCallback(resolve, { timeout: 2000 }));
  }

  async function fill(study) {
    const api = await window.dash_ag_grid.getApiAsync("grid");
    if (!held.has(api)) await whenIdle(); // its first rows came with the page
    const before = held.get(api) || { version: 0, count: 0 };
    const answer = await fetch("/rows/" + encodeURIComponent(study) + "?seen=" + before.version);
    if (!answer.ok || api.isDestroyed()) return window.dash_clientside.no_update;
    const told = await answer.json();
    const isWhole = told.columns !== undefined;
    let count = before.count;
    if (isWhole) {
      if (names(told.columns) !== names(api.getColumnDefs())) {
        window.dash_clientside.set_props("grid", { columnDefs: told.columns });
      }
      api.setGridOption("rowData", told.rows);
      count = told.rows.length;
    } else if (told.rows.length) {
      const isKnown = (row) => api.getRowNode(row.id) !== undefined;
      const add = told.rows.filter((row) => !isKnown(row));
      api.applyTransaction({ add: add, update: told.rows.filter(isKnown) });
      count += add.length;
    }
    held.set(api, { version: told.version, count: count });
    return { version: told.version, count: count, isWhole: isWhole };
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    ftsweep: Object.assign({}, (window.dash_clientside || {}).ftsweep, {
      // One after the other: what a page has tells what it lacks.
      fill: function (seen, study) {
        filling = filling.then(
          () => fill(study),
          () => fill(study)
        );
        return filling.catch(() => window.dash_clientside.no_update);
      },
    }),
  });
})();
