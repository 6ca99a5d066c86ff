"""Which trial is the best one, and why: pure functions of records."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import OutcomeKind, TrialRecord

CONSTRAINTS = "constraints"
"""The key of `TrialRecord.extra` that holds constraint values by name; one above 0 is violated."""


@dataclass(frozen=True)
class Contender:
    """A complete, feasible trial with its best rung."""

    number: int
    value: float
    rung: int


@dataclass(frozen=True)
class Selection:
    """The best trial, those that came next, and the reason in one sentence."""

    number: int
    value: float
    rung: int
    runner_ups: tuple[Contender, ...]
    reason: str


def rank(records: Sequence[TrialRecord], objective: Objective) -> list[Contender]:
    """Complete and feasible trials by the objective at their best rung, best first; ties to the lower number.

    A pruned trial is never among them, however good its last value was.
    """
    complete = [record for record in records if record.is_complete]
    found = {record.number: objective.best(record.measurements) for record in complete if is_feasible(record)}
    return _ranked({number: best for number, best in found.items() if best and best.is_feasible}, objective)


def rank_of_all(records: Sequence[TrialRecord], objective: Objective) -> list[Contender]:
    """As `rank`, if rungs had no constraints: by the best of all rungs of all complete trials."""
    complete = [record for record in records if record.is_complete and _keeps_own(record)]
    found = {record.number: objective.best_of_all(record.measurements) for record in complete}
    return _ranked({number: best for number, best in found.items() if best}, objective)


def _ranked(best: Mapping[int, Measurement], objective: Objective) -> list[Contender]:
    contenders = [
        Contender(number, objective.value(measurement), measurement.rung)
        for number, measurement in best.items()
        if math.isfinite(objective.value(measurement))
    ]
    sign = 1 if objective.direction == "minimize" else -1
    return sorted(contenders, key=lambda contender: (sign * contender.value, contender.number))


def choose_best(records: Sequence[TrialRecord], objective: Objective, *, num_runner_ups: int = 3) -> Selection | None:
    """The best trial; None when no trial can be chosen (`explain_no_winner` says why)."""
    ranked = rank(records, objective)
    if not ranked:
        return None
    best, *others = ranked
    extreme = "lowest" if objective.direction == "minimize" else "highest"
    reason = (
        f"Trial {best.number} has the {extreme} {objective.key}, {best.value:.4g} at rung {best.rung}, "
        f"of {_count(len(ranked), 'complete trial')}"
    )
    if others:
        second = others[0]
        tie = " (a tie goes to the earlier trial)" if second.value == best.value else ""
        reason += f"; trial {second.number} comes next with {second.value:.4g}{tie}"
    return Selection(best.number, best.value, best.rung, tuple(others[:num_runner_ups]), reason + ".")


def explain_no_winner(records: Sequence[TrialRecord]) -> str:
    """Why no trial can be chosen, with what became of all of them and the commonest reason."""
    if not records:
        return "No trial has been run yet."
    fates = describe_fates(records)
    text = f"None of {_count(len(records), 'trial')} is complete and feasible with a finite objective: {fates}."
    reasons = Counter(record.outcome.reason for record in records if record.outcome and record.outcome.reason)
    if reasons:
        reason, _ = reasons.most_common(1)[0]
        text += f" Most often: {reason if reason.endswith('.') else reason + '.'}"
    return text


def describe_fates(records: Sequence[TrialRecord]) -> str:
    """What became of trials, counted: `3 pruned, 1 infeasible`."""
    counts = Counter(_fate(record) for record in records)
    return ", ".join(f"{count} {fate}" for fate, count in counts.most_common()) or "no trial was run"


def is_feasible(record: TrialRecord) -> bool:
    """Whether every constraint holds, of the trial and at one of its rungs at least; a NaN does not."""
    trained = [measurement for measurement in record.measurements if measurement.rung > 0]
    is_any = any(measurement.is_feasible for measurement in trained) or not trained
    return is_any and _keeps_own(record)


def _keeps_own(record: TrialRecord) -> bool:
    """Whether the constraints hold that are the trial's and not of its rungs."""
    constraints: Mapping[str, float] = record.extra.get(CONSTRAINTS, {})
    return all(value <= 0 for value in constraints.values())


def _fate(record: TrialRecord) -> str:
    if record.outcome is None:
        return "still running"
    if record.outcome.kind is OutcomeKind.COMPLETE:
        return "complete without a number" if is_feasible(record) else "complete but against a constraint"
    return record.outcome.kind.value


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
