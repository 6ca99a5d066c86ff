"""What a pruner promises: which trials stop early, decided at equal rungs from plain numbers.

No library, no storage, no hidden state. All settings that speak of rungs are fractions of the run, so `rungs.count` can
change without touching them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from ftsweep.domain.component import Component
from ftsweep.domain.decision import GO_ON, Decision, GoOn
from ftsweep.errors import ConfigError, StudyError
from ftsweep.search.pruners.curves import Curves


class Pruner(Component, ABC):
    """Decides from curves alone. Constructor: keyword-only, the schema of the `pruner` node."""

    component_kind = "pruner"

    def decide(self, curves: Curves, number: int, rung: int) -> Decision:
        """Whether trial `number`, which has just reached `rung`, goes on, ends there, or is paused there.

        At the last rung it goes on: it is complete. So it does at a rung without a finite value.

        Raises:
            StudyError: what was decided is no decision (True, None, a reason that is no text).
        """
        if rung >= curves.num_rungs or curves.score(number, rung) is None:
            return GO_ON
        decision = self._decide(curves, number, rung)
        is_reason = isinstance(decision, GoOn) or isinstance(getattr(decision, "reason", None), str)
        if not isinstance(decision, Decision) or not is_reason:
            raise StudyError(
                f"{type(self).__name__} answers {decision!r} of trial {number} at rung {rung}, which is no decision",
                where="pruner",
                remedy="It must answer GO_ON, Prune(reason) or Pause(reason), the reason a sentence. Mend it and run "
                "the same command again.",
            )
        return decision

    def resumed(self, curves: Curves, paused: Mapping[int, int]) -> int | None:
        """What `resume` says.

        Raises:
            StudyError: it names what is not among those that are paused.
        """
        number = self.resume(curves, paused)
        if number is not None and (isinstance(number, bool) or number not in paused):
            raise StudyError(
                f"the pruner resumes trial {number!r}, which is not paused",
                where="pruner",
                remedy=f"`{type(self).__name__}.resume` must name one of {sorted(paused)}, or None. Mend it and run "
                "the same command again.",
            )
        return None if number is None else int(number)

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
