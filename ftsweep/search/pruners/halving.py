"""Successive halving: at a few levels of the run only the best go on; Hyperband hedges by brackets of levels."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ftsweep.domain.decision import GO_ON, Decision, Prune
from ftsweep.search.pruners.base import Pruner, require
from ftsweep.search.pruners.curves import Curves


class SuccessiveHalving(Pruner):
    """Asynchronous successive halving (Li 2020): at growing fractions of the run only the best 1/reduction goes on.

    first: the fraction of the run at which trials are first compared; the next is `reduction` times later, and so on.
        Where the objective is not measured there, at the next rung at which it is.
    min_peers: with fewer peers at such a rung nothing is pruned there.
    """

    def __init__(self, *, first: float = 0.2, reduction: int = 3, min_peers: int = 3) -> None:
        require(0 < first < 1, "first", first, "a fraction of the run between 0 and 1, both excluded")
        require(reduction >= 2, "reduction", reduction, "2 or more")
        require(min_peers >= 1, "min_peers", min_peers, "1 or more")
        self.first = first
        self.reduction = reduction
        self.min_peers = min_peers

    def _first_level(self, number: int) -> int:
        """Which of the levels is this trial's first; 0 is the earliest."""
        return 0

    def _levels(self) -> Iterator[float]:
        fraction = self.first
        while fraction < 1:
            yield fraction
            fraction *= self.reduction

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        levels = list(self._levels())[self._first_level(number) :]
        before = (0, *curves.rungs_to(number, rung, 2)[:-1])[-1]
        if not any(before < max(1, math.ceil(fraction * curves.num_rungs - 1e-9)) <= rung for fraction in levels):
            return GO_ON
        num_peers = curves.num_peers(number, rung)
        if num_peers < self.min_peers:
            return GO_ON
        num_kept = max(1, (num_peers + 1) // self.reduction)
        num_better = curves.num_better_peers(number, rung)
        if num_better < num_kept:
            return GO_ON
        score = curves.score(number, rung)
        assert score is not None
        return Prune(
            f"{curves.objective.key} {curves.value_text(score)} at rung {rung} is number {num_better + 1} of "
            f"{num_peers + 1} trials; {'only the best goes' if num_kept == 1 else f'the best {num_kept} go'} on."
        )


class Hyperband(SuccessiveHalving):
    """Successive halving in brackets that begin to prune earlier or later, as a hedge against slow starters.

    A trial's bracket follows from its number, more trials in the earlier brackets (Li 2018), and trials are compared
    within their bracket only. The last bracket never prunes. The settings are those of `SuccessiveHalving`.
    """

    def __init__(self, *, first: float = 0.1, reduction: int = 3, min_peers: int = 3) -> None:
        super().__init__(first=first, reduction=reduction, min_peers=min_peers)
        num_brackets = len(list(self._levels())) + 1
        sizes = [math.ceil(num_brackets * reduction**late / (late + 1)) for late in reversed(range(num_brackets))]
        self._bracket_ends = [sum(sizes[: index + 1]) / sum(sizes) for index in range(num_brackets)]

    def group(self, number: int) -> int:
        # Multiples of the golden ratio spread evenly over [0, 1): every stretch of numbers fills all brackets.
        place = (number * 0.6180339887498949) % 1
        return next(bracket for bracket, end in enumerate(self._bracket_ends) if place < end)

    def _first_level(self, number: int) -> int:
        return self.group(number)
