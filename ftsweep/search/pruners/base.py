"""What a pruner promises: which trials stop early, decided at equal rungs from plain numbers.

No library, no storage, no hidden state. All settings that speak of rungs are fractions of the run, so `rungs.count` can
change without touching them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from ftsweep.domain.component import Component
from ftsweep.domain.decision import GO_ON, Decision
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

        paused: trial number to the rung at which it waits. It is asked again and again of the same ones, also by a
        later run with more budget: the answer must follow from the arguments. Who is never resumed stays paused.
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


def require(holds: bool, name: str, value: object, wanted: str) -> None:
    """Refuse a pruner's setting that is not possible."""
    if not holds:
        raise ConfigError(f"{value!r} is not possible", where=f"pruner.{name}", remedy=f"Give {wanted}.")
