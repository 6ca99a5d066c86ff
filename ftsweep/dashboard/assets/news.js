// Asks the server for news. Only when there is some does a mark change, and Dash has the page drawn anew.
(function () {
  "use strict";
  const AWAY = "The dashboard does not answer: it has ended, or cannot be reached. What it said last is shown.";
  const asking = new Set();
  let isAway = false;

  function keep() {
    return window.dash_clientside.no_update;
  }

  function say(away) {
    if (away === isAway) return;
    isAway = away;
    window.dash_clientside.set_props("away", { children: away ? AWAY : "" });
  }

  // Nothing while a question is open, or while nobody sees the page.
  function ask(path, seen) {
    if (document.hidden || asking.has(path)) return keep();
    asking.add(path);
    return fetch(path)
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))))
      .then((told) => {
        say(false);
        return told.mark === seen ? keep() : told.mark;
      })
      .catch(() => {
        say(true);
        return keep();
      })
      .finally(() => asking.delete(path));
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    ftsweep: Object.assign({}, (window.dash_clientside || {}).ftsweep, {
      news: function (tick, study, seen) {
        return ask("/news/" + encodeURIComponent(study), seen);
      },

      newsOfStore: function (tick, seen) {
        return ask("/news", seen);
      },

      addressOfTogether: function (names, view, x, y) {
        const query = new URLSearchParams((names || []).map((name) => ["study", name]));
        query.set("view", view);
        if (view === "xy") {
          query.set("x", x);
          query.set("y", y);
        }
        window.history.replaceState(window.history.state, "", window.location.pathname + "?" + query);
        return keep();
      },

      showAxes: function (left, right) {
        return left === "xy" || right === "xy" ? {} : { display: "none" };
      },
    }),
  });
})();
