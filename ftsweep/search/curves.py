"""The objective of every trial at every rung, kept so that comparing one trial with its peers costs O(log trials)."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Mapping

from ftsweep.domain.objective import Objective


def _one_group(number: int) -> int:
    return 0


class Curves:
    """Best-so-far objective values by trial and rung.

    A trial's *score* at a rung is the best value it has reached up to there, turned so that lower is better. Peers at
    a rung are all other trials that have a value at that rung, whether they are running, ended or were pruned there:
    with several workers in lockstep nothing is complete early. `group` splits trials into sets that are compared
    only among themselves (Hyperband's brackets).
    """

    def __init__(self, objective: Objective, num_rungs: int, group: Callable[[int], int] = _one_group) -> None:
        self.objective = objective
        self.num_rungs = num_rungs
        self._group = group
        self._sign = 1.0 if objective.direction == "minimize" else -1.0
        self._scores: dict[int, dict[int, float]] = defaultdict(dict)
        self._ranked: dict[tuple[int, int], list[float]] = defaultdict(list)

    @classmethod
    def of(
        cls,
        values_by_trial: Mapping[int, Mapping[int, float]],
        objective: Objective,
        num_rungs: int,
        group: Callable[[int], int] = _one_group,
    ) -> Curves:
        """Curves of finished data: trial number to rung to value."""
        curves = cls(objective, num_rungs, group)
        for number, values in values_by_trial.items():
            for rung in sorted(values):
                curves.add(number, rung, values[rung])
        return curves

    def add(self, number: int, rung: int, value: float) -> None:
        """Note a value. Rungs come in order; a rung noted before, rung 0 and values that are not finite are ignored."""
        scores = self._scores[number]
        if rung < 1 or not math.isfinite(value) or rung in scores:
            return
        before = [score for earlier, score in scores.items() if earlier < rung]
        score = min([self._sign * value, *before])
        scores[rung] = score
        insort(self._ranked[self._group(number), rung], score)

    def score(self, number: int, rung: int) -> float | None:
        """The best value up to this rung, lower is better; None when the trial has no value at this rung."""
        return self._scores[number].get(rung)

    def num_peers(self, number: int, rung: int) -> int:
        return len(self._ranked[self._group(number), rung]) - (rung in self._scores[number])

    def num_better_peers(self, number: int, rung: int) -> int:
        """How many peers are strictly better at this rung."""
        return bisect_left(self._ranked[self._group(number), rung], self._scores[number][rung])

    def peer_percentile(self, number: int, rung: int, percentile: float) -> float:
        """The score below which `percentile` percent of the peers lie, interpolated; there must be a peer."""
        ranked = self._ranked[self._group(number), rung]
        own = self._scores[number].get(rung)
        hole = len(ranked) if own is None else bisect_left(ranked, own)
        count = self.num_peers(number, rung)
        position = (count - 1) * percentile / 100
        lower, upper = math.floor(position), math.ceil(position)
        low, high = (ranked[index + (index >= hole)] for index in (lower, upper))
        return low + (high - low) * (position - lower)

    def value_text(self, score: float) -> str:
        """A score as the objective's own number, for a sentence."""
        return f"{self._sign * score:.4g}"

    @property
    def worse_word(self) -> str:
        """On which side of a threshold a value is worse."""
        return "above" if self.objective.direction == "minimize" else "below"
