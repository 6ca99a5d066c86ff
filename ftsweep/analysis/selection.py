"""The best trial and the reason in words, or why there is none: pure functions of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import Contender, is_feasible, rank
from ftsweep.domain.spelling import number
from ftsweep.domain.trial import PAUSED, OutcomeKind, TrialRecord


@dataclass(frozen=True)
class Selection:
    """The best trial, those that came next, and the reason in one sentence."""

    number: int
    value: float
    rung: int
    runner_ups: tuple[Contender, ...]
    reason: str


def choose_best(records: Sequence[TrialRecord], objective: Objective, *, num_runner_ups: int = 3) -> Selection | None:
    """The best trial; None when no trial can be chosen (`explain_no_winner` says why)."""
    ranked = rank(records, objective)
    if not ranked:
        return None
    best, *others = ranked
    extreme = "lowest" if objective.direction == "minimize" else "highest"
    reason = (
        f"Trial {best.number} has the {extreme} {objective.key}, {number(best.value)} at rung {best.rung}, "
        f"of {_count(len(ranked), 'complete trial')}"
    )
    if others:
        second = others[0]
        tie = " (a tie goes to the earlier trial)" if second.value == best.value else ""
        reason += f"; trial {second.number} comes next with {number(second.value)}{tie}"
    return Selection(best.number, best.value, best.rung, tuple(others[:num_runner_ups]), reason + ".")


def explain_no_winner(records: Sequence[TrialRecord]) -> str:
    """Why no trial can be chosen, with what became of all of them and the commonest reason."""
    if not records:
        return "No trial has been run yet."
    text = f"No model can be chosen: no trial came to its end with a value that counts ({describe_fates(records)})."
    ended = [record.outcome for record in records if record.outcome and record.outcome.kind is not OutcomeKind.COMPLETE]
    reasons = Counter(outcome.reason for outcome in ended if outcome.reason)  # "trained to the end" explains nothing
    if reasons:
        reason, _ = reasons.most_common(1)[0]
        text += f" Most often: {reason if reason.endswith('.') else reason + '.'}"
    return text


def describe_fates(records: Sequence[TrialRecord]) -> str:
    """What became of trials, counted: `3 pruned, 1 infeasible`."""
    counts = Counter(_fate(record) for record in records)
    return ", ".join(f"{count} {fate}" for fate, count in counts.most_common()) or "no trial was run"


def _fate(record: TrialRecord) -> str:
    if record.outcome is None:
        return "still running" if record.pause is None else PAUSED
    if record.outcome.kind is OutcomeKind.COMPLETE:
        return "complete without a number" if is_feasible(record) else "complete but against a constraint"
    return record.outcome.kind.value


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
