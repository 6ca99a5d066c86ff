"""A trial as a report shows it: its record, and what follows from the study's objective."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import PAUSED, OutcomeKind, TrialRecord
from ftsweep.domain.verdict import Verdict

RUNNING, WAITING = "running", "waiting"
"""The kind of a trial without an outcome, or else `PAUSED`; all other kinds are those of `OutcomeKind`. It waits to be
continued while no process works on its study."""


@dataclass(frozen=True)
class TrialSummary:
    """One trial. `value` is the objective at its best rung, None when it has none that counts as a measurement."""

    record: TrialRecord
    value: float | None = None
    best_rung: int | None = None
    is_best: bool = False
    verdicts: tuple[Verdict, ...] = ()
    """How well it fits, its own verdict first; none where that was not judged."""
    is_waiting: bool = False
    """Whether it has not ended, and no process works on its study."""

    @cached_property
    def number(self) -> int:
        return self.record.number

    @property
    def branch(self) -> str:
        return self.record.proposal.branch

    @property
    def params(self) -> Mapping[str, Any]:
        return self.record.proposal.params

    @cached_property
    def is_default(self) -> bool:
        return self.record.proposal.is_default

    @cached_property
    def kind(self) -> str:
        if self.record.outcome is not None:
            return self.record.outcome.kind.value
        if self.record.pause is not None:
            return PAUSED
        return WAITING if self.is_waiting else RUNNING

    @property
    def reason(self) -> str:
        return self.record.outcome.reason if self.record.outcome else ""

    @property
    def remark(self) -> str:
        """Why it ended as it did, or is paused; an error with its class."""
        outcome, pause = self.record.outcome, self.record.pause
        if outcome is None:
            return "" if pause is None else pause.sentence
        is_named = outcome.error_class is None or outcome.reason.startswith(outcome.error_class)
        return outcome.reason if is_named else f"{outcome.error_class}: {outcome.reason}"

    @property
    def log_tail(self) -> str:
        return self.record.outcome.log_tail if self.record.outcome else ""

    @property
    def extra(self) -> Mapping[str, Any]:
        """What its strategy told of it at its end."""
        return self.record.outcome.extra if self.record.outcome else {}

    @property
    def curve(self) -> tuple[Measurement, ...]:
        return self.record.measurements

    @property
    def train_seconds(self) -> float:
        return max((point.train_seconds for point in self.curve), default=0.0)

    @property
    def is_complete(self) -> bool:
        return self.kind == OutcomeKind.COMPLETE

    @property
    def has_ended(self) -> bool:
        return self.record.outcome is not None

    @property
    def last_rung(self) -> int | None:
        return self.curve[-1].rung if self.curve else None

    def best_values(self) -> Mapping[str, float]:
        """All metrics at the best rung, by `<split>/<metric>`."""
        rung, curve = self.best_rung, self.curve
        if rung is not None and rung < len(curve) and curve[rung].rung == rung:  # none was left out
            return curve[rung].values
        return next((point.values for point in self.curve if point.rung == self.best_rung), {})


def summarise(
    record: TrialRecord,
    objective: Objective,
    *,
    is_best: bool = False,
    verdicts: tuple[Verdict, ...] = (),
    is_at_rest: bool = False,
    known: TrialSummary | None = None,
) -> TrialSummary:
    """The trial judged by the best of its rungs that have a finite objective. `known` is taken if it is of the same.

    is_at_rest: no process works on the study.
    """
    is_waiting = is_at_rest and record.outcome is None
    if known is not None and known.record is record and known.verdicts is verdicts:
        is_same = (known.is_best, known.is_waiting) == (is_best, is_waiting)
        return known if is_same else replace(known, is_best=is_best, is_waiting=is_waiting)
    finite = (each for each in record.measurements if math.isfinite(each.values.get(objective.key, math.nan)))
    best = objective.best(finite)
    value, rung = (objective.value(best), best.rung) if best else (None, None)
    return TrialSummary(record, value, rung, is_best, verdicts, is_waiting)
