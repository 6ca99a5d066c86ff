// What the buttons ask of a study. Plain functions that Dash calls; each gives what is to be shown beside the buttons.
(function () {
  "use strict";

  function keep() {
    return window.dash_clientside.no_update;
  }

  function ask(clicks, question, path, body) {
    if (!clicks || !window.confirm(question)) return keep();
    return act(path, body);
  }

  function act(path, body) {
    return fetch("/act/" + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    })
      .then((answer) => answer.json())
      .then((told) => told.texts.join("\n"))
      .catch((error) => "The dashboard did not answer: " + error.message);
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    ftsweep: Object.assign({}, (window.dash_clientside || {}).ftsweep, {
      stopStudy: function (clicks, study) {
        const question = "Stop the study " + study + "? Its trials checkpoint; the same run command goes on.";
        return ask(clicks, question, "stop-study", { study: study });
      },

      stopTrials: function (clicks, study, selection) {
        const numbers = selection.trials;
        if (clicks && !numbers.length) return "Select trials first.";
        const question = "End trial " + numbers.join(", ") + " of " + study + " now, as pruned? They are not continued.";
        return ask(clicks, question, "stop-trials", { study: study, trials: numbers });
      },

      stopTrial: function (clicks, study, trial) {
        const question = "End trial " + trial + " of " + study + " now, as pruned? It is not continued.";
        return ask(clicks, question, "stop-trials", { study: study, trials: [trial] });
      },

      pinTrials: function (clicks, study, selection) {
        const numbers = selection.trials;
        if (clicks && !numbers.length) return "Select trials first.";
        return clicks ? act("pin", { study: study, trials: numbers }) : keep();
      },

      pinTrial: function (clicks, study, trial) {
        return clicks ? act("pin", { study: study, trials: [trial] }) : keep();
      },

      unpinTrial: function (clicks, study, trial) {
        return clicks ? act("unpin", { study: study, trials: [trial] }) : keep();
      },

      extend: function (clicks, enters, study, trials) {
        if ((clicks || enters) && !trials) return "Say how many trials the study is to have.";
        const question = "Have the study " + study + " make " + trials + " trials in all?";
        return ask(clicks || enters, question, "extend", { study: study, values: ["budget.trials=" + trials] });
      },

      // Only what was changed is sent: the rest is the trial's own.
      enqueue: function (clicks, enters, study, trial, copied, values) {
        if (!clicks && !enters.some(Boolean)) return keep();
        const changed = copied
          .map(([path, text], index) => [path, text, (values[index] || "").trim()])
          .filter(([path, text, value]) => value !== text)
          .map(([path, text, value]) => path + "=" + value);
        if (!changed.length) return "Change a value first: a setting is tried once.";
        return act("enqueue", { study: study, from: trial, values: changed });
      },
    }),
  });
})();
