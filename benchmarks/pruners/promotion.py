"""Asynchronous successive halving that pauses and resumes (Li and others 2020, 1810.05934), as a pruner.

A trial that is not among the best of its level waits there with its checkpoint; it goes on as soon as it is among
them, for others have come in behind it. It is no part of the package: see docs/decisions for what it was worth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ftsweep.domain.decision import Decision, Pause, Prune
from ftsweep.search.pruners.curves import Curves
from ftsweep.search.pruners.halving import SuccessiveHalving


class Promotion(SuccessiveHalving):
    """The levels, settings and comparisons of successive halving; who loses waits instead of ending."""

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        decision = super()._decide(curves, number, rung)
        return Pause(decision.reason) if isinstance(decision, Prune) else decision

    def resume(self, curves: Curves, paused: Mapping[int, int]) -> int | None:
        """The best of those that are now among the best of their level, the latest level first."""
        for rung in sorted(set(paused.values()), reverse=True):
            waiting = [number for number, at in paused.items() if at == rung]
            best = min(waiting, key=lambda number: (curves.num_better_peers(number, rung), number))
            num_kept = max(1, math.floor((curves.num_peers(best, rung) + 1) / self.reduction))
            if curves.num_better_peers(best, rung) < num_kept:
                return best
        return None
