"""Why no trial can be chosen, and what became of all of them, in words: pure functions of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ftsweep.domain.ranking import is_feasible
from ftsweep.domain.trial import PAUSED, OutcomeKind, TrialRecord


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
