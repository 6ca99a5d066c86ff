"""A study at one moment, as its terminal view, `status`, `best`, the report and a dashboard read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import rank
from ftsweep.domain.result import StudyResult
from ftsweep.domain.trial import OutcomeKind, TrialRecord
from ftsweep.domain.verdict import Verdict

COMPLETE, STOPPED, NOT_FINISHED = "complete", "stopped", "not finished"
"""Phases in which no process works on the study."""


@dataclass(frozen=True)
class StudyState:
    """`phase` is what goes on now, in a few words; `note` a line worth keeping on the screen."""

    study: str
    phase: str
    objective: Objective
    num_rungs: int
    num_planned: int
    trials: tuple[TrialRecord, ...] = ()
    baseline: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Validation metrics of the untouched bases, by branch label and metric."""
    elapsed_seconds: float = 0.0
    seconds_left: float | None = None  # an estimate; None before there is anything to go by
    note: str = ""
    verdicts: Mapping[int, tuple[Verdict, ...]] = field(default_factory=dict)
    """How well trials fit, by number; none where that is not judged."""
    result: StudyResult | None = None
    """What the study came to; of a study that went on since it is about fewer trials: see `is_concluded`."""

    @property
    def is_at_rest(self) -> bool:
        """Whether no process works on the study."""
        return self.phase in (COMPLETE, STOPPED, NOT_FINISHED)

    @property
    def is_concluded(self) -> bool:
        """Whether the result is about the trials that there are; with a note some of them may not have ended."""
        if self.result is None or not self.result.is_about(self.trials):
            return False
        return not self.running or bool(self.result.note)

    @cached_property
    def best(self) -> TrialRecord | None:
        """The chosen trial; before the conclusion the best complete one so far that keeps every constraint."""
        if self.is_concluded and self.result is not None:
            return None if self.result.number is None else self.trial(self.result.number)
        ranked = rank(self.trials, self.objective)
        return self.trial(ranked[0].number) if ranked else None

    def trial(self, number: int) -> TrialRecord | None:
        return next((record for record in self.trials if record.number == number), None)

    @property
    def running(self) -> tuple[TrialRecord, ...]:
        """Trials that were begun and have not ended: under way, or waiting to be continued; paused ones are apart."""
        return tuple(record for record in self.trials if record.outcome is None and record.pause is None)

    @property
    def paused(self) -> tuple[TrialRecord, ...]:
        """Trials that wait until the pruner resumes them; with the search over, until there is more budget."""
        return tuple(record for record in self.trials if record.pause is not None)

    @property
    def num_ended(self) -> int:
        return sum(record.outcome is not None for record in self.trials)

    def count(self, kind: OutcomeKind) -> int:
        return sum(record.outcome is not None and record.outcome.kind is kind for record in self.trials)

    def best_rung(self, record: TrialRecord) -> Measurement | None:
        """The measurement that a trial is judged by."""
        return record.best(self.objective)

    def value(self, record: TrialRecord) -> float | None:
        """A trial's value: its best rung's objective so far."""
        measurement = self.best_rung(record)
        return None if measurement is None else self.objective.value(measurement)

    def base_values(self) -> dict[str, float]:
        """The objective of the untouched bases by branch label, as far as it was measured."""
        name = self.objective.metric
        return {label: values[name] for label, values in self.baseline.items() if name in values}

    @property
    def num_done(self) -> float:
        """Trials' worth of work done: one that has ended or is paused counts whole, a running one by its progress."""
        return sum(
            1.0
            if record.outcome is not None or record.pause is not None
            else max((m.progress for m in record.measurements), default=0.0)
            for record in self.trials
        )
