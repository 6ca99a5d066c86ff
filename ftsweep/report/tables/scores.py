"""Scores side by side: what was measured on test, and the winner against the default setting and the untouched base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ftsweep.analysis.advice import shown_metric
from ftsweep.analysis.comparison import base_label, distinct_bases
from ftsweep.domain.answers import model_label, model_name
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import BASELINE, StudyResult
from ftsweep.report.overview import StudyOverview, TestedModel
from ftsweep.report.tables.cells import interval, scores, words
from ftsweep.report.tables.table import Column, Row, Table, columns, data_table
from ftsweep.report.trial_summary import TrialSummary

MAX_ACROSS = 8
"""Of so many scores each is a column of the comparison; of more each is a row."""

_INTERVAL = len("0.00000 .. 0.00000")


def tested_table(result: StudyResult, objective: Objective) -> Table | None:
    """Models on test: winner first, default settings, the untouched base last; None for data without a test split."""
    if result.model is None or result.model.name not in result.test:
        return None
    winner = result.model.name
    models = sorted(result.test, key=lambda model: (model != winner, model == BASELINE, model))
    names = sorted(result.test[winner], key=lambda name: (name != "loss", name))
    shown = shown_metric(result.test[winner], objective)
    rows = []
    for model in models:
        sure = interval(result.intervals.get(model, {}).get(shown))
        cells = (words(_label(model, winner)), *scores(result.test[model], names), sure)
        rows.append(Row(cells))
    heads = (*columns("model", *names, text=["model"]), Column(f"{shown}, 95 % interval", room=_INTERVAL))
    return Table(heads, tuple(rows), title="test split, measured once")


def _label(model: str, winner: str) -> str:
    """`trial 7, fresh seed 2 (winner)`, of a name as `ftsweep.domain.answers.model_name` makes it."""
    if model == BASELINE:
        return "untouched base"
    number, _, seed = model.removeprefix("trial-").partition("-")
    return f"{model_label(int(number), int(seed or 0))} ({'winner' if model == winner else 'default'})"


def tested_data(result: StudyResult) -> Table:
    """Every score on test with its interval, for a file."""
    rows = []
    for model, values in result.test.items():
        for metric, value in values.items():
            found = result.intervals.get(model, {}).get(metric)
            sure = (None, None, None) if found is None else (found.standard_error, found.low, found.high)
            rows.append([model, metric, value, *sure])
    return data_table(("model", "metric", "value", "standard_error", "low", "high"), rows)


def comparison_table(study: StudyOverview) -> Table | None:
    """All metrics of winner, default setting and base on validation and test; None when there is nothing to compare."""
    lines = [*_trial_lines(study), *_base_lines(study)]
    keys = list(dict.fromkeys(key for _, values in lines for key in values if not key.startswith("train/")))
    metric = study.objective.metric  # its scores first: of many metrics the last are seen by scrolling
    keys.sort(key=lambda key: (key.partition("/")[2] != metric, key.startswith("test/"), key))
    if not keys or len(lines) < 2:
        return None
    looks = study.result.test_looks
    note = "Side by side, each trial at its best rung."
    if looks > 1:
        note += f" The test split was looked at {looks} times, so its numbers may be too good."
    elif study.tests:
        note += " The test split was measured once, after the choice."
    if len(keys) > MAX_ACROSS and len(keys) > len(lines):
        return Table(columns("", *(label for label, _ in lines), text=[""]), _by_score(keys, lines), note=note)
    rows = [Row((words(label), *scores(values, keys))) for label, values in lines]
    if study.best is not None:  # it stands first
        rows[0] = replace(rows[0], mark="best")
    return Table(columns("", *keys, text=[""]), tuple(rows), note=note)


def _by_score(keys: Sequence[str], lines: Sequence[tuple[str, Mapping[str, float]]]) -> tuple[Row, ...]:
    """A row a score, a column a model: many scores beside each other would be wider than a page."""
    return tuple(Row((words(key), *(scores(values, [key])[0] for _, values in lines))) for key in keys)


def tested(study: StudyOverview, trial: TrialSummary | None) -> TestedModel | None:
    """What was measured of a trial on test."""
    name = study.name_on_test(trial.number) if trial is not None else None
    return next((test for test in study.tests if test.label == name), None)


def _trial_lines(study: StudyOverview) -> list[tuple[str, Mapping[str, float]]]:
    defaults = [trial for trial in study.trials if trial.is_default and not trial.is_best]
    lines: list[tuple[str, Mapping[str, float]]] = []
    for trial in [*([study.best] if study.best else []), *defaults]:
        label = "default setting" if not trial.is_best else "winner" if study.is_final else "best so far"
        label += ", the default setting" if trial.is_best and trial.is_default else ""
        branch = f" of {trial.branch}" if trial.branch and trial in defaults else ""
        test = tested(study, trial)
        seed = f" with fresh seed {study.model.seed}" if trial.is_best and study.model and study.model.seed else ""
        values = {**study.values_of(trial), **(test.values if test else {})}
        lines.append((f"Trial {trial.number}{seed} · {label}{branch}", values))
    if study.best is not None and study.best.is_default and study.model is not None and study.model.seed:
        name = model_name(study.best.number)  # the search's own run of the winner's setting
        test_values = next((test.values for test in study.tests if test.label == name), {})
        lines.insert(1, (f"Trial {study.best.number} · default setting", {**study.best.best_values(), **test_values}))
    return lines


def _base_lines(study: StudyOverview) -> list[tuple[str, Mapping[str, float]]]:
    measured = {test.label: test.values for test in study.tests if test.number is None}
    if not study.baselines:
        return [(label.capitalize(), values) for label, values in measured.items()]
    own = (study.best.branch or "main") if study.best else ""
    groups = distinct_bases(study.baselines, own)
    lines: list[tuple[str, Mapping[str, float]]] = []
    for labels in groups:
        name = "Untouched base" if len(groups) == 1 else f"Untouched base ({', '.join(labels)})"
        lines.append((name, {**study.baselines[labels[0]], **measured.get(base_label(labels, own), {})}))
    return lines
