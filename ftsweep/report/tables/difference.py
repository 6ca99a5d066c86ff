"""Trials of one study or several beside each other: only what differs, by what it is about, and their curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftsweep.analysis.difference import differing
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.space import leaves
from ftsweep.domain.spelling import NOTHING, number, param
from ftsweep.report.overview import StudyOverview
from ftsweep.report.sparkline import sparkline
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.table import Row, Table, columns
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import seconds
from ftsweep.store.atomic import read_json, understood
from ftsweep.store.folders import StudyFolder

_SHOWN_DIGITS = 8
ENDING, SETTING, VALUES, COST = "How it went", "Setting", "Values at the best rung", "Cost"


@dataclass(frozen=True)
class Compared:
    """A trial with its study."""

    study: StudyOverview
    trial: TrialSummary

    @property
    def name(self) -> str:
        """As commands take it."""
        return f"{self.study.name}:{self.trial.number}"

    @property
    def losses(self) -> list[float]:
        """The objective, by rung."""
        key = self.study.objective.key
        return [point.values.get(key, math.nan) for point in self.trial.curve]


def difference_tables(compared: Sequence[Compared]) -> tuple[list[Table], int]:
    """A table for each subject in which they differ, a column for each trial; and how many lines are the same."""
    told = [_sections(each) for each in compared]
    tables, num_equal = [], 0
    for title in (ENDING, SETTING, VALUES, COST):
        different, same = differing([each[title] for each in told], missing=NOTHING)
        num_equal += same
        if different:
            names = ["", *(each.name for each in compared)]
            rows = tuple(Row(tuple(map(words, (name, *texts)))) for name, texts in different)
            tables.append(Table(columns(*names, text=names), rows, title=title))
    return tables, num_equal


def curve_lines(compared: Sequence[Compared]) -> list[tuple[str, str, str]]:
    """Each trial's objective rung by rung: its name, a curve, and its ends in words. One scale for one objective."""
    scales: dict[str, list[float]] = {}
    for each in compared:
        finite = [value for value in each.losses if math.isfinite(value)]
        scales.setdefault(each.study.objective.key, []).extend(finite)
    lines = []
    for each in compared:
        scale, values = scales[each.study.objective.key], each.losses
        if values and scale:
            drawn = sparkline(values, low=min(scale), high=max(scale))
            lines.append((each.name, drawn, _ends(each)))
    return lines


def _ends(compared: Compared) -> str:
    trial, values = compared.trial, compared.losses
    best = "" if trial.value is None else f", best {number(trial.value)} at rung {trial.best_rung}"
    return f"{compared.study.objective.key} {number(values[0])} to {number(values[-1])}{best}"


def _sections(compared: Compared) -> dict[str, dict[str, str]]:
    study, trial = compared.study, compared.trial
    fit = ", ".join(verdict.label for verdict in trial.verdicts)
    ending = {
        "outcome": trial.kind,
        "reason": trial.remark or NOTHING,
        "fit": fit or NOTHING,
        "rungs": NOTHING if trial.last_rung is None else f"{trial.last_rung} of {study.state.num_rungs}",
    }
    params = {study.param_path(name): param(value) for name, value in study.params_of(trial).items()}
    setting = {"branch": trial.branch or NOTHING, **_written(compared), **params}
    key = study.objective.key
    metrics = {name: number(value) for name, value in sorted(trial.best_values().items()) if name != key}
    best_rung = NOTHING if trial.best_rung is None else str(trial.best_rung)
    values = {key: number(trial.value), "best rung": best_rung, **metrics}
    return {ENDING: ending, SETTING: setting, VALUES: values, COST: _cost(trial)}


def caution(compared: Sequence[Compared]) -> str:
    """That the objective says little of these trials, as their models may not have the same tokens; or nothing."""
    told = [_written(each) for each in compared]
    models = [
        {name: text for name, text in each.items() if _is_under(name, "model") and name != "model.dtype"}
        for each in told
    ]
    by_tokens = sorted({each.study.objective.key for each in compared if each.study.objective.is_per_token})
    if not by_tokens or all(each == models[0] for each in models):
        return ""
    return (
        f"{' and '.join(by_tokens)} is an average over tokens, and these trials have different models. Where "
        "these split text into different tokens it does not say which is better; bits_per_byte does."
    )


def _written(compared: Compared) -> dict[str, str]:
    """All settings that the trial was made with, by their paths, whether searched or written in the sweep file; and
    the fingerprint of its data. {} where its folder is not there.
    """
    folder = compared.study.folder
    if folder is None or not folder.trial(compared.trial.number).spec_file.is_file():
        return {}
    config = folder.trial(compared.trial.number).spec()["config"]
    found = {name: param(value) for name, value in leaves(config).items() if name}
    named = {name.removesuffix("._target_"): text.rpartition(".")[2] for name, text in found.items() if _is_class(name)}
    data = _fingerprint(folder, compared.trial.branch or "main")
    return {**{name: text for name, text in found.items() if not _is_class(name)}, **named, **data}


def _is_class(name: str) -> bool:
    return name.endswith("._target_")


def _is_under(name: str, node: str) -> bool:
    return name == node or name.startswith(f"{node}.")


def _fingerprint(folder: StudyFolder, label: str) -> dict[str, str]:
    if not folder.data_file.is_file():
        return {}
    with understood(folder.data_file):
        known: Mapping[str, str] = read_json(folder.data_file)
        return {"fingerprint of the data": known[label][:_SHOWN_DIGITS]} if label in known else {}


def _cost(trial: TrialSummary) -> dict[str, str]:
    last: Measurement | None = trial.curve[-1] if trial.curve else None
    facts: Mapping[str, object] = trial.extra
    weights = facts.get("num_trained_parameters")
    return {
        "training time": NOTHING if last is None else seconds(trial.train_seconds),
        "examples": NOTHING if last is None else f"{last.num_examples:,}",
        "tokens": NOTHING if last is None else f"{last.num_tokens:,}",
        "trained weights": f"{weights:,}" if isinstance(weights, int) else NOTHING,
    }
