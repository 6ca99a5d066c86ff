"""The trials of a study, with a column for every parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftsweep.domain.spelling import NOTHING
from ftsweep.domain.trial import PAUSED
from ftsweep.domain.verdict import Verdict, VerdictSeverity
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.cells import count, figure, setting, time_taken
from ftsweep.report.tables.table import Cell, Column, Row, Table, columns
from ftsweep.report.trial_summary import RUNNING, WAITING, TrialSummary

_SEVERITY_ORDER = {severity: place for place, severity in enumerate(VerdictSeverity)}
CHOSEN = "the chosen model's trial"
SO_FAR = "best so far"
OUTCOME_ORDER = ("complete", "pruned", PAUSED, RUNNING, WAITING, "diverged", "infeasible", "failed")


def wide_trials_table(study: StudyOverview) -> Table:
    """Every trial. Branches share the column of one config path, so that their values can be compared."""
    shape = TrialColumns.of(study)
    return Table(shape.columns, tuple(map(shape.row, study.trials)), best=CHOSEN if study.is_final else SO_FAR)


@dataclass(frozen=True)
class TrialColumns:
    """The columns of a study's table of trials, and a trial's row in them."""

    path_of: Mapping[str, str]
    """The config path of every parameter."""
    objective: str
    has_branches: bool
    has_fits: bool
    is_final: bool
    text: frozenset[str]
    """Config paths whose values are not all numbers."""

    @classmethod
    def of(cls, study: StudyOverview) -> TrialColumns:
        path_of = {name: study.param_path(name) for name in study.param_names}  # each goes through all trials
        has_branches, has_fits = any(trial.branch for trial in study.trials), bool(study.state.verdicts)
        return cls(path_of, study.objective.key, has_branches, has_fits, study.is_final, study.text_paths)

    @property
    def paths(self) -> list[str]:
        return list(dict.fromkeys(self.path_of.values()))

    @property
    def columns(self) -> tuple[Column, ...]:
        names = ["trial", *(["branch"] if self.has_branches else []), "outcome", *(["fit"] if self.has_fits else [])]
        names += [self.objective, "best rung", "time", *self.paths, "remark"]
        return columns(*names, text=["branch", "outcome", "fit", "remark", *self.text])

    def row(self, trial: TrialSummary) -> Row:
        by_path = {self.path_of[name]: value for name, value in trial.params.items()}
        cells = [count(trial.number)]
        cells += [Cell(trial.branch or "main", trial.branch)] if self.has_branches else []
        cells.append(Cell(trial.kind, trial.kind, order=str(OUTCOME_ORDER.index(trial.kind)), style=trial.kind))
        cells += [fit_cell(trial.verdicts)] if self.has_fits else []
        cells += [figure(trial.value), _best_rung(trial)]
        cells.append(time_taken(trial.train_seconds if trial.curve else None))
        cells += [setting(by_path[path]) if path in by_path else Cell("") for path in self.paths]
        cells.append(_remark(trial, self.is_final))
        return Row(tuple(cells), "best" if trial.is_best else "")


def fit_cell(verdicts: Sequence[Verdict]) -> Cell:
    """A trial's own verdict, sorted by how bad it is; a plus tells of more."""
    if not verdicts:
        return Cell(NOTHING)
    first = verdicts[0]
    order = f"{_SEVERITY_ORDER[first.severity]} {first.label}"
    return Cell(first.label + ("+" if len(verdicts) > 1 else ""), first.label, order, first.severity.value)


def _best_rung(trial: TrialSummary) -> Cell:
    if trial.best_rung is None:
        return Cell(NOTHING)
    is_last = trial.best_rung == trial.last_rung
    return Cell(str(trial.best_rung) if is_last else f"{trial.best_rung} of {trial.last_rung}", trial.best_rung)


def _remark(trial: TrialSummary, is_final: bool) -> Cell:
    tags = ["winner" if is_final else SO_FAR] if trial.is_best else []
    tags += ["default setting"] if trial.is_default else []
    remark = "" if trial.is_complete else trial.remark  # of a complete one its outcome says all
    return Cell(remark, remark, tags=tuple(tags), details=trial.log_tail)
