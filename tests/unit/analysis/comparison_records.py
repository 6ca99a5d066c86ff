"""Records of a tournament, made by hand."""

from __future__ import annotations

from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.tasks.classification import Classification

OBJECTIVE = Objective("accuracy", direction="maximize", metrics=Classification.metrics)
ROWS = {"train": 1000, "validation": 300, "test": 400}


def record(
    number: int,
    branch: str,
    accuracy: float,
    *,
    seconds: float = 10.0,
    parameters: int | None = 100,
    kind: str = "complete",
    constraint: float = 0.0,
    is_default: bool = False,
    **values: float,
) -> TrialRecord:
    """A trial with two rungs, the second of which is the better one."""
    measurements = tuple(
        Measurement(
            rung,
            rung / 2,
            rung,
            rung,
            seconds * rung / 2,
            0.0,
            {"validation/accuracy": accuracy - 0.1 * (2 - rung), "validation/loss": 1.0, **values},
            {"memory": constraint},
        )
        for rung in (1, 2)
    )
    extra: dict[str, Any] = {"train_seconds": seconds}
    extra |= {} if parameters is None else {"num_trained_parameters": parameters}
    outcome = Outcome(OutcomeKind(kind), "because", extra=extra if kind == "complete" else {})
    return TrialRecord(Proposal(number, branch, {}, is_default), measurements, outcome)


def facts(*branches: str, **changed: str) -> dict[str, dict[str, Any]]:
    """Facts of prepared data, the same for all branches but those that are given another fingerprint."""
    return {name: {"fingerprint": changed.get(name, "same"), "num_rows": ROWS} for name in branches}
