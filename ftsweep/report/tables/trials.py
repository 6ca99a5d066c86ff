"""The trials of a study: a narrow table for terminals, and a wide one with a column for every parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftsweep.domain.forgetting import FORGETTING
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import OutcomeKind, Proposal, TrialRecord
from ftsweep.domain.verdict import Verdict, VerdictSeverity
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.cells import count, figure, setting, time_taken, words
from ftsweep.report.tables.table import Cell, Column, Row, Table, columns
from ftsweep.report.trial_summary import RUNNING, TrialSummary
from ftsweep.report.wording import NOTHING, param

OUTCOME_ORDER = ("complete", "pruned", "running", "diverged", "infeasible", "failed")
_BAR_WIDTH = 10


def trials_table(state: StudyState, *, limit: int | None = None) -> Table:
    """Trials with outcome, rungs, value and parameters; with a limit the running, the best and the newest ones."""
    best, has_fits = state.best, bool(state.verdicts)
    is_measured = any(FORGETTING in record.measurements[-1].values for record in state.trials if record.measurements)
    heads = [Column("trial", is_whole=True), Column("outcome", "text", True), Column("rungs", "text", True)]
    heads.append(Column(state.objective.key, is_whole=True))
    heads += [Column("forgetting", is_whole=True)] if is_measured else []
    heads += [Column("fit", "text", True)] if has_fits else []
    rows = []
    for record in _shown(state, best, limit):
        is_best = record is best
        cells = [count(record.number), _state_cell(record, state)]
        cells += [_rung_bar(record, state.num_rungs), figure(state.value(record))]
        cells += [_forgetting(state.best_rung(record))] if is_measured else []
        cells += [fit_cell(state.verdicts.get(record.number, ()))] if has_fits else []
        cells.append(words(params_text(record.proposal) + (" (default)" if record.proposal.is_default else "")))
        rows.append(Row(tuple(cells), "best" if is_best else ""))
    return Table((*heads, Column("params", "text")), tuple(rows))


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


def params_text(proposal: Proposal) -> str:
    """Branch and parameters in one line, by the last part of their names."""
    params = [f"{name.rsplit('.', 1)[-1]}={param(value)}" for name, value in proposal.params.items()]
    return "  ".join([proposal.branch, *params] if proposal.branch else params)


def _shown(state: StudyState, best: TrialRecord | None, limit: int | None) -> list[TrialRecord]:
    if limit is None or len(state.trials) <= limit:
        return list(state.trials)
    chosen = {record.number: record for record in state.running[-limit:]}
    if best is not None:
        chosen[best.number] = best
    for record in reversed(state.trials):
        if len(chosen) >= limit:
            break
        chosen.setdefault(record.number, record)
    return [chosen[number] for number in sorted(chosen)]


def _state_cell(record: TrialRecord, state: StudyState) -> Cell:
    kind: OutcomeKind | None = record.outcome.kind if record.outcome else None
    if kind is not None:
        return Cell(kind.value, kind.value, style=kind.value)
    return Cell("waiting" if state.is_at_rest else RUNNING, style=RUNNING)


def _rung_bar(record: TrialRecord, num_rungs: int) -> Cell:
    rung = max((measurement.rung for measurement in record.measurements), default=0)
    filled = round(_BAR_WIDTH * rung / num_rungs)
    return Cell("━" * filled + "╌" * (_BAR_WIDTH - filled) + f" {rung}/{num_rungs}", rung)


def _forgetting(best: Measurement | None) -> Cell:
    """What the trial has forgotten at its best rung, and whether that is over the limit."""
    value = best.values.get(FORGETTING) if best else None
    if best is None or value is None:
        return Cell(NOTHING)
    return Cell(f"{value:.3f}", value) if best.is_feasible else Cell(f"{value:.3f} over", value, style="severe")


def _best_rung(trial: TrialSummary) -> Cell:
    if trial.best_rung is None:
        return Cell(NOTHING)
    is_last = trial.best_rung == trial.last_rung
    return Cell(str(trial.best_rung) if is_last else f"{trial.best_rung} of {trial.last_rung}", trial.best_rung)


def _remark(trial: TrialSummary, is_final: bool) -> Cell:
    tags = ["winner" if is_final else "best so far"] if trial.is_best else []
    tags += ["default setting"] if trial.is_default else []
    return Cell(trial.remark, trial.remark, tags=tuple(tags), details=trial.log_tail)


def _text_columns(rows: Sequence[Row], num_columns: int, paths: Sequence[str]) -> list[str]:
    """The parameters whose values are not all numbers."""
    first = num_columns - len(paths) - 1
    values: dict[str, list[Any]] = {path: [row.cells[first + i].value for row in rows] for i, path in enumerate(paths)}
    return [path for path, found in values.items() if any(isinstance(value, str) for value in found)]
