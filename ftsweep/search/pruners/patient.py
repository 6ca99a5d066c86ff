"""Optuna's patience: what still improves is never pruned, whatever its peers do."""

from __future__ import annotations

from collections.abc import Mapping

from ftsweep.domain.decision import GO_ON, Decision, Prune
from ftsweep.errors import ConfigError
from ftsweep.search.pruners.base import Pruner, require
from ftsweep.search.pruners.curves import Curves


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
        require(patience >= 1, "patience", patience, "1 or more")
        require(min_delta >= 0, "min_delta", min_delta, "0 or more")
        self.pruner = pruner
        self.patience = patience
        self.min_delta = min_delta

    def group(self, number: int) -> int:
        return self.pruner.group(number)

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        rungs = curves.rungs_to(number, rung, self.patience + 1)
        now, before = curves.score(number, rung), curves.score(number, rungs[0]) if len(rungs) > self.patience else None
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
