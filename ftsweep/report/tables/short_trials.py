"""The trials of a study for a terminal: a line each, with a curve, and every value of its setting."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from statistics import median

from ftsweep.domain.forgetting import FORGETTING
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.spelling import NOTHING, param
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import PAUSED, OutcomeKind, Proposal, TrialRecord
from ftsweep.report.sparkline import GAP, sparkline
from ftsweep.report.tables.cells import count, figure, words
from ftsweep.report.tables.table import Cell, Column, Row, Table
from ftsweep.report.tables.trials import CHOSEN, SO_FAR, fit_cell
from ftsweep.report.trial_summary import RUNNING, WAITING

_CURVE_WIDTH = 11
_SETTING_ROOM = 48
_FORGETTING = "forgetting: nats per token of general text, over: above the limit."


def trials_table(state: StudyState, *, limit: int | None = None) -> Table:
    """All trials by number; with a limit the best, then running ones, then those that ended last."""
    best, shown = state.best, _shown(state, limit)
    is_measured = any(FORGETTING in record.measurements[-1].values for record in state.trials if record.measurements)
    names = short_names(state)
    scale = _scale(state)
    objective = state.objective
    at_best = f"{objective.metric}: on {objective.split}, at its best rung."
    heads = [Column("trial", is_whole=True), Column("outcome", "text", True)]
    heads.append(Column("curve", "text", True, True, meaning=f"curve: by rung, {GAP} not measured."))
    heads.append(Column(objective.metric, is_whole=True, meaning=at_best))
    heads += [Column("forgetting", is_whole=True, meaning=_FORGETTING)] if is_measured else []
    heads += [Column("fit", "text", True, True)] if state.verdicts else []
    rows = []
    for record in shown:
        cells = [count(record.number), _outcome(record, state), _curve(record, state, scale)]
        cells.append(figure(state.value(record)))
        cells += [_forgetting(state.best_rung(record))] if is_measured else []
        cells += [fit_cell(state.verdicts.get(record.number, ()))] if state.verdicts else []
        cells.append(words(_setting(record.proposal, names)))
        rows.append(Row(tuple(cells), "best" if record is best else ""))
    heads.append(Column("setting", "text", room=_SETTING_ROOM, meaning=_setting_meaning(shown, names)))
    others = len(state.trials) - len(shown)
    more = f"and {others} more trials." if others > 1 else "and 1 more trial." if others else ""
    return Table(tuple(heads), tuple(rows), note=more, best=_star(state) if best is not None else "")


def params_text(proposal: Proposal) -> str:
    """Branch and parameters in one line, by the last part of their names."""
    params = [f"{name.rsplit('.', 1)[-1]}={param(value)}" for name, value in proposal.params.items()]
    return "  ".join([proposal.branch, *params] if proposal.branch else params)


def short_names(state: StudyState) -> dict[str, str]:
    """By the last part of a parameter's path: the first letters of its words, where no other name has the same."""
    leaves = dict.fromkeys(name.rsplit(".", 1)[-1] for record in state.trials for name in record.proposal.params)
    initials = {leaf: "".join(word[:1] for word in leaf.split("_")) if "_" in leaf else leaf for leaf in leaves}
    taken = Counter(initials.values())
    return {leaf: short if taken[short] == 1 else leaf for leaf, short in initials.items()}


def _setting(proposal: Proposal, names: Mapping[str, str]) -> str:
    params = [f"{names[name.rsplit('.', 1)[-1]]}={param(value)}" for name, value in proposal.params.items()]
    return " ".join([proposal.branch, *params] if proposal.branch else params)


def _shown(state: StudyState, limit: int | None) -> list[TrialRecord]:
    if limit is None:
        return list(state.trials)
    best = [state.best] if state.best else []
    ended = [record for record in reversed(state.trials) if record.outcome is not None or record.pause is not None]
    order = {record.number: record for record in [*best, *state.running, *ended]}
    return list(order.values())[:limit]


def _outcome(record: TrialRecord, state: StudyState) -> Cell:
    kind: OutcomeKind | None = record.outcome.kind if record.outcome else None
    rung = max((measurement.rung for measurement in record.measurements), default=0)
    reached = f" {rung}/{state.num_rungs}"
    if record.pause is not None:
        return Cell(PAUSED + reached, PAUSED, style=PAUSED)
    if kind is None:
        return Cell((WAITING if state.is_at_rest else RUNNING) + reached, style=RUNNING)
    is_short = kind is not OutcomeKind.COMPLETE and rung > 0
    return Cell(kind.value + (reached if is_short else ""), kind.value, style=kind.value)


def _scale(state: StudyState) -> tuple[float, float]:
    """Where curves begin, by their median, and the best value: what most of them lie between."""
    key = state.objective.key
    curves = [[point.values.get(key, math.nan) for point in record.measurements] for record in state.trials]
    firsts = [next(filter(math.isfinite, curve), None) for curve in curves]
    starts = [value for value in firsts if value is not None]
    values = [value for record in state.trials if (value := state.value(record)) is not None and math.isfinite(value)]
    if not starts or not values:
        return 0.0, 0.0
    best = min(values) if state.objective.direction == "minimize" else max(values)
    low, high = sorted((median(starts), best))
    return low, high


def _curve(record: TrialRecord, state: StudyState, scale: tuple[float, float]) -> Cell:
    """A bar for each rung; of many rungs the last in each of equal parts that has a value."""
    values = {point.rung: point.values.get(state.objective.key, math.nan) for point in record.measurements}
    by_rung = {rung: value for rung, value in values.items() if math.isfinite(value)}
    width = min(state.num_rungs + 1, _CURVE_WIDTH)
    parts: list[float] = []
    for i in range(width):
        first, after = (math.ceil(edge * (state.num_rungs + 1) / width) for edge in (i, i + 1))
        parts.append(next((by_rung[rung] for rung in reversed(range(first, after)) if rung in by_rung), math.nan))
    return Cell(sparkline(parts, low=scale[0], high=scale[1]) if by_rung else GAP * width)


def _setting_meaning(shown: list[TrialRecord], names: Mapping[str, str]) -> str:
    """Which of the trials has the default setting, and what the short names stand for."""
    defaults = [str(record.number) for record in shown if record.proposal.is_default]
    short = [f"{short} {name}" for name, short in names.items() if short != name]
    which = f"Default setting: trial{'s' if len(defaults) > 1 else ''} {', '.join(defaults)}." if defaults else ""
    return " ".join(filter(None, (which, f"{', '.join(short)}." if short else "")))


def _star(state: StudyState) -> str:
    """What the star stands for; with a word for those that look better."""
    if not state.is_concluded or state.best is None:
        return SO_FAR
    own, objective = state.value(state.best), state.objective
    others = (state.value(record) for record in state.trials if record.is_complete)
    better = sum(own is not None and value is not None and objective.is_better(value, own) for value in others)
    if not better:
        return CHOSEN
    return f"{CHOSEN}, though {better} {'looks' if better == 1 else 'look'} better in the search: `best` says why"


def _forgetting(best: Measurement | None) -> Cell:
    """What the trial has forgotten at its best rung, and whether that is over the limit."""
    value = best.values.get(FORGETTING) if best else None
    if best is None or value is None:
        return Cell(NOTHING)
    return Cell(f"{value:.3f}", value) if best.is_feasible else Cell(f"{value:.3f} over", value, style="severe")
