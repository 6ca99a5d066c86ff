"""A trial's page: its setting against the default and the best, its curves, its verdicts, how it ended, its log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import dcc, html

from ftsweep.dashboard.address import difference_address, study_address
from ftsweep.dashboard.asked import Asked, asked_part, read_asked
from ftsweep.dashboard.looks import Look
from ftsweep.dashboard.parts import PLOT_CONFIG, badge, crumbs, height_of, plain_table, trouble_line, waiting, watch
from ftsweep.dashboard.told_tables import answers_of_trial
from ftsweep.dashboard.trial_acts import elsewhere, trial_acts
from ftsweep.dashboard.views import view_figure
from ftsweep.domain.spelling import NOTHING, number, param
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import seconds
from ftsweep.store.folders import StudyFolder, TrialFolder

_LOG_LINES = 100


def trial_page(look: Look, number_of: int, folder: StudyFolder, mark: str, *, may_act: bool) -> list[Any]:
    """The page's parts. mark: what a look for news gives now."""
    steps = ((look.name, study_address(look.name)), (f"trial {number_of}", ""))
    trial = find_trial(look.overview, number_of)
    if look.overview is None or trial is None:
        known = look if look.overview is None else replace(look, trouble=f"There is no trial {number_of}.")
        return [crumbs(*steps), html.H1(f"Trial {number_of}"), *waiting(known)]
    curves, asked = curves_of(look.overview, trial), read_asked(folder)
    return [
        crumbs(*steps),
        dcc.Store(id="study", data=look.name),
        dcc.Store(id="trial", data=number_of),
        *watch(f"/news/{look.name}", mark, "trial-seen"),
        html.H1(f"Trial {number_of}"),
        html.Div(trial_head(look, trial), id="trial-head"),
        dcc.Store(id="trial-curves-drawn", data=curves),
        dcc.Graph(id="trial-curves", config=PLOT_CONFIG, style=height_of(curves)),
        trial_acts(look.overview, trial, may_act=may_act),
        html.Div(trial_body(look, trial, folder, asked), id="trial-body"),
    ]


def find_trial(study: StudyOverview | None, number_of: int) -> TrialSummary | None:
    return next((trial for trial in study.trials if trial.number == number_of), None) if study else None


def curves_of(study: StudyOverview, trial: TrialSummary) -> dict[str, Any]:
    """The trial's learning curve beside those of the best trial and the default setting."""
    beside = [each.number for each in (study.best, study.default) if each is not None]
    drawn = view_figure(study.only([trial.number, *beside]), "learning_curves")
    for trace in drawn["data"]:
        if isinstance(trace.get("meta"), list) and trace["meta"][0] == trial.number and trial.number not in beside:
            trace |= {"name": "this trial", "legendgroup": "this trial", "showlegend": True, "opacity": 1.0}
            trace["line"]["width"] = 3
    return drawn


def trial_head(look: Look, trial: TrialSummary) -> list[Any]:
    """How it ended, and its key numbers."""
    assert look.overview is not None, "a trial was found in it"
    facts = _facts(look.overview, trial)
    return [*trouble_line(look.trouble), html.P([badge(trial.kind), f" {trial.remark}"]), facts]


def trial_body(look: Look, trial: TrialSummary, folder: StudyFolder, asked: Asked) -> list[Any]:
    """What stands below the figure and what may be asked."""
    study = look.overview
    assert study is not None, "a trial was found in it"
    others = [each for each in (study.best, study.default) if each is not None and each is not trial]
    against = difference_address([(look.name, each.number) for each in (trial, *others)])
    names = ["the best trial" if each is study.best else "the default setting" for each in others]
    words = f"Differences to {' and '.join(dict.fromkeys(names))}"
    link = html.P(dcc.Link(words, href=against)) if others else ""
    parts: list[Any] = [html.H2("Setting"), _setting(study, trial), link]
    if trial.verdicts:
        lines = [html.Li(verdict.text, className=verdict.severity.value) for verdict in trial.verdicts]
        parts += [html.H2("How well it fits"), html.Ul(lines, className="findings")]
    if values := trial.best_values():
        rows = [[key, number(value)] for key, value in sorted(values.items())]
        parts += [html.H2(f"Measured at rung {trial.best_rung}, its best"), plain_table(("metric", "value"), rows)]
    parts += answers_of_trial(study, trial)
    log = trial.log_tail or _log(folder.trial(trial.number))
    if log:
        parts += [html.H2("End of its log"), html.Pre(log)]
    parts += asked_part(asked.of_trial(trial.record.proposal))
    return [*parts, *elsewhere(study, trial, folder)]


def _facts(study: StudyOverview, trial: TrialSummary) -> html.P:
    words = []
    if trial.value is not None:
        words.append(f"{study.objective.key} {number(trial.value)} at rung {trial.best_rung}")
    if trial.is_best:
        words.append(_best_words(study))
    if trial.is_default:
        words.append("the default setting")
    if trial.branch:
        words.append(f"branch {trial.branch}")
    if trial.curve:
        last = trial.curve[-1]
        words.append(f"trained for {seconds(trial.train_seconds)} on {last.num_examples:,} examples")
        words.append(f"rung {last.rung} of {study.state.num_rungs}")
    return html.P(" · ".join(words))


def _best_words(study: StudyOverview) -> str:
    """That a trial is the best; where its model is that of a fresh seed, that one's value."""
    if not study.is_final:
        return "the best so far"
    model = study.model
    return f"the winner: {number(model.value)} with fresh seed {model.seed}" if model and model.seed else "the winner"


def _setting(study: StudyOverview, trial: TrialSummary) -> Any:
    """Every parameter, marked where the default or the best trial has another value."""
    columns = [("this trial", trial)]
    columns += [("default", study.default)] if study.default and study.default is not trial else []
    columns += [("best", study.best)] if study.best and study.best is not trial else []
    rows = []
    for name in study.params_of(trial):
        shown = [param(each.params[name]) if name in each.params else NOTHING for _, each in columns]
        cells = [shown[0], *(html.Strong(word) if word != shown[0] else word for word in shown[1:])]
        rows.append([name, *cells])
    return plain_table(("parameter", *(head for head, _ in columns)), rows)


def _log(folder: TrialFolder) -> str:
    try:
        return folder.log_tail(_LOG_LINES)
    except OSError:  # the folder may go at any time
        return ""
