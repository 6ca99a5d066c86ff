"""The median rule and its relatives: a trial that is worse than its peers at a rung, twice in a row, is hopeless.

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
"""

from __future__ import annotations

from ftsweep.domain.decision import GO_ON, Decision, Prune
from ftsweep.search.pruners.base import Pruner, require
from ftsweep.search.pruners.curves import Curves


class Percentile(Pruner):
    """Prunes a trial whose best value so far is worse than `percentile` percent of its peers at the same rung.

    percentile: 50 is the median; 75 stops only what is in the worst quarter.
    startup_trials: the first trials of the study, by number, are never pruned.
    warmup: no trial is pruned in this first fraction of its rungs.
    patience: how many rungs in a row a trial may be on the wrong side before it is pruned at the next. Rungs at which
        the objective is not measured are not counted.
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
        require(0 < percentile < 100, "percentile", percentile, "a number between 0 and 100, both excluded")
        require(startup_trials >= 0, "startup_trials", startup_trials, "0 or more")
        require(0 <= warmup < 1, "warmup", warmup, "a fraction of the rungs, at least 0 and below 1")
        require(patience >= 0, "patience", patience, "0 or more")
        require(min_peers >= 1, "min_peers", min_peers, "1 or more")
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
        rungs = curves.rungs_to(number, rung, self.patience + 1)
        if len(rungs) <= self.patience or not all(self._is_worse(curves, number, each) for each in rungs):
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
