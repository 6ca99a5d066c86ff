"""A study without a winner says what became of its trials."""

from __future__ import annotations

import math

from ftsweep.analysis.fates import explain_no_winner
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord


def record(
    number: int, values: list[float], kind: OutcomeKind | None = OutcomeKind.COMPLETE, *, reason: str = ""
) -> TrialRecord:
    """A trial with values[i] at rung i."""
    measurements = [Measurement(rung, 0, 0, 0, 0, 0, {Objective().key: value}) for rung, value in enumerate(values)]
    outcome = None if kind is None else Outcome(kind, reason)
    return TrialRecord(Proposal(number, "", {}), tuple(measurements), outcome)


def test_no_winner_is_explained_with_counts_and_the_commonest_reason() -> None:
    assert explain_no_winner([]) == "No trial has been run yet."
    records = [
        record(0, [1], OutcomeKind.INFEASIBLE, reason="Out of memory at micro-batch 1"),
        record(1, [1], OutcomeKind.INFEASIBLE, reason="Out of memory at micro-batch 1"),
        record(2, [1, math.nan]),
        record(3, [1, 2], None),
    ]
    assert explain_no_winner(records) == (
        "No model can be chosen: no trial came to its end with a value that counts (2 infeasible, 1 complete without a "
        "number, 1 still running). Most often: Out of memory at micro-batch 1."
    )
    assert "Most often" not in explain_no_winner([record(0, [math.nan])]), "trained to its end: that explains nothing"
