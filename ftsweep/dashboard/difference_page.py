"""Two or more trials, of one study or several: only what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from ftsweep.dashboard.address import trial_address
from ftsweep.dashboard.looks import Looks, is_study_name
from ftsweep.dashboard.parts import crumbs, plain_table, trouble_line
from ftsweep.dashboard.trial_page import find_trial
from ftsweep.report.overview import StudyOverview
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import NOTHING, number, param, plural, seconds

MAX_TRIALS = 12


@dataclass(frozen=True)
class Named:
    """A trial with its study."""

    study: StudyOverview
    trial: TrialSummary

    @property
    def link(self) -> Any:
        words = f"{self.study.name} {self.trial.number}"
        return dcc.Link(words, href=trial_address(self.study.name, self.trial.number))


def difference_page(looks: Looks, wanted: Sequence[tuple[str, int]]) -> list[Any]:
    found, missing = [], []
    for study_name, trial_number in wanted[:MAX_TRIALS]:
        study = looks.at(study_name).overview if is_study_name(looks, study_name) else None
        trial = find_trial(study, trial_number)
        if study is None or trial is None:
            missing.append(f"{study_name} {trial_number}")
        else:
            found.append(Named(study, trial))
    troubles = [f"There is no trial {name} in this store." for name in missing]
    if len(wanted) > MAX_TRIALS:
        troubles.append(f"{len(wanted)} trials are asked for; the first {MAX_TRIALS} are shown.")
    if len(found) < 2:
        troubles.append("Select at least two trials of a study, then choose Differences.")
        return [crumbs(("differences", "")), html.H1("Differences"), *trouble_line(" ".join(troubles))]
    different, num_equal = differing([_lines(each) for each in found])
    rows = [[name, *values] for name, values in different]
    heads = ["", *(each.link for each in found)]
    return [
        crumbs(("differences", "")),
        html.H1("Differences"),
        *trouble_line(" ".join(troubles)),
        plain_table(heads, rows, "differences"),
        html.P(f"{plural(num_equal, 'line')} not shown: equal in all of these trials.", className="reading"),
    ]


def differing(lines: Sequence[Mapping[str, str]]) -> tuple[list[tuple[str, list[str]]], int]:
    """The names whose text is not the same everywhere, with their texts; and how many are the same."""
    names = list(dict.fromkeys(name for each in lines for name in each))
    rows = [(name, [each.get(name, NOTHING) for each in lines]) for name in names]
    different = [(name, texts) for name, texts in rows if len(set(texts)) > 1]
    return different, len(rows) - len(different)


def _lines(named: Named) -> dict[str, str]:
    study, trial = named.study, named.trial
    fit = ", ".join(verdict.label for verdict in trial.verdicts)
    facts = {
        "outcome": trial.kind,
        "reason": trial.remark or NOTHING,
        study.objective.key: number(trial.value),
        "best rung": NOTHING if trial.best_rung is None else str(trial.best_rung),
        "training time": seconds(trial.train_seconds) if trial.curve else NOTHING,
        "fit": fit or NOTHING,
        "branch": trial.branch or NOTHING,
    }
    params = {study.param_path(name): param(value) for name, value in study.params_of(trial).items()}
    metrics = {key: number(value) for key, value in sorted(trial.best_values().items()) if key != study.objective.key}
    return {**facts, **params, **metrics}
