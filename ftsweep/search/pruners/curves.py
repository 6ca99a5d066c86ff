"""The objective of every trial at every rung, kept so that comparing one trial with its peers costs O(log trials)."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping

from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import number


def _one_group(number: int) -> int:
    return 0


class Curves:
    """Best-so-far objective values by trial and rung.

    A trial's *score* at a rung is the best value it has reached up to there, turned so that lower is better. Peers at
    a rung are all other trials that have a value at that rung, whether they are running, ended or were pruned there:
    with several workers in lockstep nothing is complete early. `group` splits trials into sets that are compared
    only among themselves (branches, Hyperband's brackets).

    A rung may violate a constraint. A trial at a rung that keeps all of them is scored by such rungs alone, and only
    trials that keep them there are its peers: one that is better because it breaks a limit must not stop it. A trial
    at a rung that breaks one is held against everybody.
    """

    def __init__(self, objective: Objective, num_rungs: int, group: Callable[[int], Hashable] = _one_group) -> None:
        self.objective = objective
        self.num_rungs = num_rungs
        self._group = group
        self._sign = 1.0 if objective.direction == "minimize" else -1.0
        self._all, self._keeping = _Scores(), _Scores()

    @classmethod
    def of(
        cls,
        values_by_trial: Mapping[int, Mapping[int, float]],
        objective: Objective,
        num_rungs: int,
        group: Callable[[int], Hashable] = _one_group,
    ) -> Curves:
        """Curves of finished data: trial number to rung to value."""
        curves = cls(objective, num_rungs, group)
        for trial, values in values_by_trial.items():
            for rung in sorted(values):
                curves.add(trial, rung, values[rung])
        return curves

    def add(self, number: int, rung: int, value: float, *, is_feasible: bool = True) -> None:
        """Note a value. Rungs come in order; a rung noted before, rung 0 and values that are not finite are ignored."""
        if rung < 1 or not math.isfinite(value) or rung in self._all.scores[number]:
            return
        self._all.add(self._group(number), number, rung, self._sign * value)
        if is_feasible:
            self._keeping.add(self._group(number), number, rung, self._sign * value)

    def score(self, number: int, rung: int) -> float | None:
        """The best value up to this rung, lower is better; None when the trial has no value at this rung."""
        return self._of(number, rung).scores[number].get(rung)

    def rungs_to(self, number: int, rung: int, count: int) -> list[int]:
        """The last `count` rungs up to this one at which the trial has a value; fewer where it has no more."""
        return [each for each in self._all.scores[number] if each <= rung][-count:]

    def num_peers(self, number: int, rung: int) -> int:
        of = self._of(number, rung)
        return len(of.ranked[self._group(number), rung]) - (rung in of.scores[number])

    def num_better_peers(self, number: int, rung: int) -> int:
        """How many peers are strictly better at this rung."""
        of = self._of(number, rung)
        return bisect_left(of.ranked[self._group(number), rung], of.scores[number][rung])

    def peer_percentile(self, number: int, rung: int, percentile: float) -> float:
        """The score below which `percentile` percent of the peers lie, interpolated; there must be a peer."""
        of = self._of(number, rung)
        ranked = of.ranked[self._group(number), rung]
        own = of.scores[number].get(rung)
        hole = len(ranked) if own is None else bisect_left(ranked, own)
        count = self.num_peers(number, rung)
        position = (count - 1) * percentile / 100
        lower, upper = math.floor(position), math.ceil(position)
        low, high = (ranked[index + (index >= hole)] for index in (lower, upper))
        return low + (high - low) * (position - lower)

    def _of(self, number: int, rung: int) -> _Scores:
        """The scores that this trial is judged by at this rung."""
        breaks = rung in self._all.scores[number] and rung not in self._keeping.scores[number]
        return self._all if breaks else self._keeping

    def value_text(self, score: float) -> str:
        """A score as the objective's own number, for a sentence."""
        return number(self._sign * score)

    @property
    def worse_word(self) -> str:
        """On which side of a threshold a value is worse."""
        return "above" if self.objective.direction == "minimize" else "below"


class _Scores:
    """Scores by trial and rung, and the same in order by group and rung."""

    def __init__(self) -> None:
        self.scores: dict[int, dict[int, float]] = defaultdict(dict)
        self.ranked: dict[tuple[Hashable, int], list[float]] = defaultdict(list)

    def add(self, group: Hashable, number: int, rung: int, score: float) -> None:
        scores = self.scores[number]
        scores[rung] = min([score, *(earlier for other, earlier in scores.items() if other < rung)])
        insort(self.ranked[group, rung], scores[rung])
