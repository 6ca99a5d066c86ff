"""How a running study stands, for whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import OutcomeKind, TrialRecord
from ftsweep.domain.verdict import Verdict


@dataclass(frozen=True)
class Snapshot:
    """One moment of a study. `phase` is what goes on now, in a few words; `note` a line worth keeping on the screen."""

    study: str
    phase: str
    objective: Objective
    num_rungs: int
    num_planned: int
    trials: tuple[TrialRecord, ...] = ()
    baseline: Mapping[str, float] = field(default_factory=dict)
    elapsed_seconds: float = 0.0
    seconds_left: float | None = None  # an estimate; None before there is anything to go by
    note: str = ""
    verdicts: Mapping[int, tuple[Verdict, ...]] = field(default_factory=dict)
    """How well trials fit, by number; none where that is not judged."""
    chosen: int | None = None  # the trial that a concluded study came to

    @property
    def num_ended(self) -> int:
        return sum(record.outcome is not None for record in self.trials)

    @property
    def running(self) -> tuple[TrialRecord, ...]:
        return tuple(record for record in self.trials if record.outcome is None)

    @property
    def best(self) -> TrialRecord | None:
        """The chosen trial; before the conclusion the best complete one so far, the first of equal ones."""
        chosen = next((record for record in self.trials if record.number == self.chosen), None)
        return self._best_so_far() if chosen is None else chosen

    def _best_so_far(self) -> TrialRecord | None:
        best: TrialRecord | None = None
        for record in self.trials:
            value = self.value(record)
            if not record.is_complete or value is None or not self.is_feasible(record):
                continue
            incumbent = self.value(best) if best else None
            if incumbent is None or self.objective.is_better(value, incumbent):
                best = record
        return best

    def is_feasible(self, record: TrialRecord) -> bool:
        """Whether the trial keeps every constraint at its best rung; true before it was measured."""
        measurement = self.objective.best(record.measurements)
        return measurement is None or measurement.is_feasible

    def value(self, record: TrialRecord) -> float | None:
        """A trial's value: its best rung's objective so far."""
        measurement = self.objective.best(record.measurements)
        return None if measurement is None else self.objective.value(measurement)

    def count(self, kind: OutcomeKind) -> int:
        return sum(record.outcome is not None and record.outcome.kind is kind for record in self.trials)

    @property
    def num_done(self) -> float:
        """Trials' worth of work done: an ended trial counts whole, a running one by its progress."""
        return sum(
            1.0 if record.outcome is not None else max((m.progress for m in record.measurements), default=0.0)
            for record in self.trials
        )
