"""Which trials stop early, decided at equal rungs from plain numbers: no library, no storage, no hidden state.

The median rule compares a trial's best value so far with all peers that have a value at the rung: running, ended and
pruned ones. Optuna's own pruners look at complete trials only, of which there are none while workers or lanes
run in lockstep. Simulated before choosing (noisy crossing curves, 10 rungs, 120 seeds; share of rungs trained / regret
of the winner / share of seeds in which the best trial survived):

    32 trials, 8 at once     complete peers .70 / .008 / .94      all peers .65 / .008 / .92
      with patience 1                       .73 / .002 / .98                .70 / .000 / .99
    12 trials, 1 at once     complete peers .75 / .005 / .96      all peers .76 / .003 / .96
      with patience 1                       .77 / .002 / .97                .79 / .001 / .97

So patience is worth its 3 to 5 percent of rungs: one rung on the wrong side of the median is forgiven, the second in
a row is not. Optuna's other patience (never prune what still improves) would spare nearly every fine-tune, whose
loss falls to the end; it is here as `Patient`, around any pruner.

All settings that speak of rungs are fractions of the run, so `rungs.count` can change without touching them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

from ftsweep.domain.component import Component
from ftsweep.domain.decision import GO_ON, Decision, Prune
from ftsweep.errors import ConfigError
from ftsweep.search.pruners.curves import Curves


class Pruner(Component, ABC):
    """Decides from curves alone. Constructor: keyword-only, the schema of the `pruner` node."""

    component_kind = "pruner"

    def decide(self, curves: Curves, number: int, rung: int) -> Decision:
        """Whether trial `number`, which has just reached `rung`, goes on, ends there, or is paused there.

        At the last rung it goes on: it is complete. So it does at a rung without a finite value.
        """
        if rung >= curves.num_rungs or curves.score(number, rung) is None:
            return GO_ON
        return self._decide(curves, number, rung)

    def resume(self, curves: Curves, paused: Mapping[int, int]) -> int | None:
        """Which of the trials that it paused goes on now that a lane is free; None leaves the lane to a new one.

        paused: trial number to the rung at which it waits. Paused trials that never go on end as pruned with the
        search.
        """
        return None

    def group(self, number: int) -> int:
        """Trials of different groups are not compared."""
        return 0

    @abstractmethod
    def _decide(self, curves: Curves, number: int, rung: int) -> Decision: ...


class NoPruner(Pruner):
    """Every trial runs to its end."""

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        return GO_ON


class Percentile(Pruner):
    """Prunes a trial whose best value so far is worse than `percentile` percent of its peers at the same rung.

    percentile: 50 is the median; 75 stops only what is in the worst quarter.
    startup_trials: the first trials of the study, by number, are never pruned.
    warmup: no trial is pruned in this first fraction of its rungs.
    patience: how many rungs in a row a trial may be on the wrong side before it is pruned at the next.
    min_peers: with fewer peers at a rung nothing is pruned there.
    """

    def __init__(
        self,
        *,
        percentile: float = 75.0,
        startup_trials: int = 5,
        warmup: float = 0.3,
        patience: int = 1,
        min_peers: int = 5,
    ) -> None:
        _require(0 < percentile < 100, "percentile", percentile, "a number between 0 and 100, both excluded")
        _require(startup_trials >= 0, "startup_trials", startup_trials, "0 or more")
        _require(0 <= warmup < 1, "warmup", warmup, "a fraction of the rungs, at least 0 and below 1")
        _require(patience >= 0, "patience", patience, "0 or more")
        _require(min_peers >= 1, "min_peers", min_peers, "1 or more")
        self.percentile = percentile
        self.startup_trials = startup_trials
        self.warmup = warmup
        self.patience = patience
        self.min_peers = min_peers

    @property
    def _threshold_name(self) -> str:
        return "the median" if self.percentile == 50 else f"percentile {self.percentile:g}"

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        if number < self.startup_trials or rung <= self.warmup * curves.num_rungs + 1e-9:
            return GO_ON
        # Both rungs are judged by the peers known now, so the answer depends on the curves alone.
        if not all(self._is_worse(curves, number, rung - back) for back in range(self.patience + 1)):
            return GO_ON
        score = curves.score(number, rung)
        assert score is not None
        threshold = curves.peer_percentile(number, rung, self.percentile)
        again = "" if self.patience == 0 else f", for {self.patience + 1} rungs in a row"
        return Prune(
            f"{curves.objective.key} {curves.value_text(score)} at rung {rung} is {curves.worse_word} "
            f"{self._threshold_name} {curves.value_text(threshold)} of {curves.num_peers(number, rung)} peers{again}."
        )

    def _is_worse(self, curves: Curves, number: int, rung: int) -> bool:
        score = curves.score(number, rung)
        if score is None or curves.num_peers(number, rung) < self.min_peers:
            return False
        return score > curves.peer_percentile(number, rung, self.percentile)


class Median(Percentile):
    """Prunes a trial whose best value so far is worse than the median of its peers at the same rung.

    The settings are those of `Percentile`.
    """

    def __init__(self, *, startup_trials: int = 5, warmup: float = 0.3, patience: int = 1, min_peers: int = 5) -> None:
        super().__init__(
            percentile=50.0, startup_trials=startup_trials, warmup=warmup, patience=patience, min_peers=min_peers
        )


class SuccessiveHalving(Pruner):
    """Asynchronous successive halving (Li 2020): at growing fractions of the run only the best 1/reduction goes on.

    first: the fraction of the run at which trials are first compared; the next is `reduction` times later, and so on.
    min_peers: with fewer peers at such a rung nothing is pruned there.
    """

    def __init__(self, *, first: float = 0.2, reduction: int = 3, min_peers: int = 3) -> None:
        _require(0 < first < 1, "first", first, "a fraction of the run between 0 and 1, both excluded")
        _require(reduction >= 2, "reduction", reduction, "2 or more")
        _require(min_peers >= 1, "min_peers", min_peers, "1 or more")
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
        if rung not in {max(1, math.ceil(fraction * curves.num_rungs - 1e-9)) for fraction in levels}:
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
            f"{num_peers + 1} trials; the best {num_kept} go on."
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


class Patient(Pruner):
    """Lets another pruner act only on a trial that has stopped improving.

    pruner: the pruner that decides about such a trial.
    patience: how many rungs in a row a trial may go without a better value before `pruner` is asked.
    min_delta: a value counts as better only when it is better by more than this.
    """

    def __init__(self, *, pruner: Pruner, patience: int = 1, min_delta: float = 0.0) -> None:
        if not isinstance(pruner, Pruner):
            raise ConfigError(
                f"patient needs a pruner to wrap, not {pruner!r}",
                where="pruner.pruner",
                remedy="Name one, for example pruner.pruner={_target_: ftsweep.search.pruners.Median}.",
            )
        _require(patience >= 1, "patience", patience, "1 or more")
        _require(min_delta >= 0, "min_delta", min_delta, "0 or more")
        self.pruner = pruner
        self.patience = patience
        self.min_delta = min_delta

    def group(self, number: int) -> int:
        return self.pruner.group(number)

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        now, before = curves.score(number, rung), curves.score(number, rung - self.patience)
        if now is None or before is None or before - now > self.min_delta:
            return GO_ON
        decision = self.pruner.decide(curves, number, rung)
        if not isinstance(decision, Prune):
            return decision
        return Prune(
            f"{decision.reason} It has not improved for {self.patience} rung{'s' if self.patience > 1 else ''}."
        )

    def resume(self, curves: Curves, paused: Mapping[int, int]) -> int | None:
        return self.pruner.resume(curves, paused)


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise ConfigError(f"{value!r} is not possible", where=f"pruner.{name}", remedy=f"Give {wanted}.")
