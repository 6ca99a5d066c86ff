// Asks the server for news. Only when there is some does a mark change, and Dash has the page drawn anew.
(function () {
  "use strict";
  const AWAY = "The dashboard does not answer: it has ended, or cannot be reached. What it said last is shown.";
  let seen = { about: "", mark: "" };
  let asking = false;
  let isAway = false;

  function keep() {
    return window.dash_clientside.no_update;
  }

  function say(away) {
    if (away === isAway) return;
    isAway = away;
    window.dash_clientside.set_props("away", { children: away ? AWAY : "" });
  }

  // Nothing while a question is open, or while nobody sees the page. Past Dash, which would compare its whole page at
  // every tick of an interval of its own.
  function look() {
    const place = document.getElementById("watch");
    if (!place || document.hidden || asking) return;
    const path = place.dataset.path;
    const about = place.dataset.store + path; // a study and its trials have the same news
    if (about !== seen.about) seen = { about: about, mark: place.dataset.mark };
    asking = true;
    fetch(path)
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))))
      .then((told) => {
        say(false);
        if (about !== seen.about || told.mark === seen.mark) return;
        seen.mark = told.mark;
        window.dash_clientside.set_props(place.dataset.store, { data: told.mark });
      })
      .catch(() => say(true))
      .finally(() => {
        asking = false;
      });
  }

  window.setInterval(look, 1000);

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    ftsweep: Object.assign({}, (window.dash_clientside || {}).ftsweep, {
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
