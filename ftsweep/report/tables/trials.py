"""The trials of a study, with a column for every parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftsweep.domain.verdict import Verdict, VerdictSeverity
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.cells import count, figure, setting, time_taken
from ftsweep.report.tables.table import Cell, Row, Table, columns
from ftsweep.report.trial_summary import TrialSummary
from ftsweep.report.wording import NOTHING

OUTCOME_ORDER = ("complete", "pruned", "running", "diverged", "infeasible", "failed")


def wide_trials_table(study: StudyOverview) -> Table:
    """Every trial. Branches share the column of one config path, so that their values can be compared."""
    path_of = {name: study.param_path(name) for name in study.param_names}  # each goes through all trials
    paths = list(dict.fromkeys(path_of.values()))
    has_branches = any(trial.branch for trial in study.trials)
    has_fits = any(trial.verdicts for trial in study.trials)
    names = ["trial", *(["branch"] if has_branches else []), "outcome", *(["fit"] if has_fits else [])]
    names += [study.objective.key, "best rung", "time", *paths, "remark"]
    rows = []
    for trial in study.trials:
        by_path = {path_of[name]: value for name, value in trial.params.items()}
        cells = [count(trial.number)]
        cells += [Cell(trial.branch or "main", trial.branch)] if has_branches else []
        cells.append(Cell(trial.kind, trial.kind, order=str(OUTCOME_ORDER.index(trial.kind)), style=trial.kind))
        cells += [fit_cell(trial.verdicts)] if has_fits else []
        cells += [figure(trial.value), _best_rung(trial)]
        cells.append(time_taken(trial.train_seconds if trial.curve else None))
        cells += [setting(by_path[path]) if path in by_path else Cell("") for path in paths]
        cells.append(_remark(trial, study.is_final))
        rows.append(Row(tuple(cells), "best" if trial.is_best else ""))
    text = ["branch", "outcome", "fit", "remark", *_text_columns(rows, len(names), paths)]
    return Table(columns(*names, text=text), tuple(rows))


def fit_cell(verdicts: Sequence[Verdict]) -> Cell:
    """A trial's own verdict, sorted by how bad it is; a plus tells of more."""
    if not verdicts:
        return Cell(NOTHING)
    first = verdicts[0]
    order = f"{list(VerdictSeverity).index(first.severity)} {first.label}"
    return Cell(first.label + ("+" if len(verdicts) > 1 else ""), first.label, order, first.severity.value)


def _best_rung(trial: TrialSummary) -> Cell:
    if trial.best_rung is None:
        return Cell(NOTHING)
    is_last = trial.best_rung == trial.last_rung
    return Cell(str(trial.best_rung) if is_last else f"{trial.best_rung} of {trial.last_rung}", trial.best_rung)


def _remark(trial: TrialSummary, is_final: bool) -> Cell:
    tags = ["winner" if is_final else "best so far"] if trial.is_best else []
    tags += ["default setting"] if trial.is_default else []
    remark = "" if trial.is_complete else trial.remark  # of a complete one its outcome says all
    return Cell(remark, remark, tags=tuple(tags), details=trial.log_tail)


def _text_columns(rows: Sequence[Row], num_columns: int, paths: Sequence[str]) -> list[str]:
    """The parameters whose values are not all numbers."""
    first = num_columns - len(paths) - 1
    values: dict[str, list[Any]] = {path: [row.cells[first + i].value for row in rows] for i, path in enumerate(paths)}
    return [path for path, found in values.items() if any(isinstance(value, str) for value in found)]
