"""What measuring at rungs takes of a trial's time, and how many rungs would take less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MOST = 0.3
"""Of a trial's time; where measuring takes more, fewer rungs are named."""
FEWEST = 4
"""Rungs that are named at least: with fewer a pruner has next to nothing to compare, and curves have no shape."""


class RungCost(NamedTuple):
    """Shares of a trial's time, from 0 to 1. `fewer` is the number of rungs to take instead; None where the asked
    number costs little, or is so small already."""

    share: float
    fewer: int | None = None
    share_of_fewer: float | None = None


def rung_cost(estimate: Mapping[str, Any], num_rungs: int) -> RungCost | None:
    """Of a trial with so many rungs, from its `num_steps`, `step_seconds` and `measure_seconds`; None where it takes no
    steps. Answers that are generated are not counted.
    """
    training: float = estimate["num_steps"] * estimate["step_seconds"]
    one: float = estimate["measure_seconds"]
    if training <= 0 or one <= 0:
        return None
    num_rungs = min(num_rungs, estimate["num_steps"])

    def share(rungs: int) -> float:
        return rungs * one / (rungs * one + training)

    if share(num_rungs) <= MOST or num_rungs <= FEWEST:
        return RungCost(share(num_rungs))
    fewer = max(FEWEST, int(MOST / (1 - MOST) * training / one))
    return RungCost(share(num_rungs), fewer, share(fewer))
