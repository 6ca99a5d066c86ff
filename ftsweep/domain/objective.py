"""What a study optimises: one metric of one split, in one direction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.metric import Direction, Metric, Metrics
from ftsweep.errors import StudyError


@dataclass(frozen=True)
class Objective:
    """The number by which trials are compared."""

    metric: str = "loss"
    split: str = "validation"
    direction: Direction = "minimize"
    metrics: Metrics = field(default_factory=dict, compare=False, repr=False)
    """All that the study's tasks measure, for words about trials; {} where it is not known. No part of `to_dict`."""

    def to_dict(self) -> dict[str, Any]:
        """Metric, split and direction, as JSON."""
        return {"metric": self.metric, "split": self.split, "direction": self.direction}

    @classmethod
    def of_study(cls, facts: Mapping[str, Any]) -> Objective:
        """From a study's facts (`study.json`), with its metrics."""
        metrics = {name: Metric(**metric) for name, metric in facts.get("metrics", {}).items()}
        return cls(**facts["objective"], metrics=metrics)

    def reported(self, number: int, measurement: Measurement) -> float:
        """A trial's value at a rung; NaN where answers were not generated.

        Raises:
            StudyError: the measurement has not the objective, which every rung has.
        """
        if self.key in measurement.values or self.is_generated:
            return float(measurement.values.get(self.key, math.nan))
        raise StudyError(
            f"trial {number} measured no {self.key!r} at rung {measurement.rung}",
            remedy=f"It measured: {', '.join(sorted(measurement.values)) or 'nothing'}.",
        )

    @property
    def is_generated(self) -> bool:
        """Whether it is made of generated answers, so that only some rungs have it."""
        return self.metric in self.metrics and self.metrics[self.metric].is_generated

    @property
    def is_per_token(self) -> bool:
        """Whether it compares only models that split text into the same tokens."""
        return self.metric in self.metrics and self.metrics[self.metric].is_per_token

    @property
    def key(self) -> str:
        """The metric key, `<split>/<metric>`, under which measurements carry the value."""
        return f"{self.split}/{self.metric}"

    @property
    def worst(self) -> float:
        """A value that every measured one beats."""
        return math.inf if self.direction == "minimize" else -math.inf

    def value(self, measurement: Measurement) -> float:
        return measurement.values[self.key]

    def is_better(self, candidate: float, incumbent: float) -> bool:
        """Whether `candidate` strictly beats `incumbent`; NaN beats nothing and loses to every number."""
        if math.isnan(candidate):
            return False
        if math.isnan(incumbent):
            return True
        return candidate < incumbent if self.direction == "minimize" else candidate > incumbent

    def best(self, measurements: Iterable[Measurement]) -> Measurement | None:
        """The earliest measurement with the best value among those that keep every constraint; where none does, of all.

        None when there is none with a number. Rung 0 (before any training) never counts: a trial's value is what
        training reached.
        """
        counted = list(measurements)
        kept = self.best_of_all(each for each in counted if not each.constraints or each.is_feasible)
        return self.best_of_all(counted) if kept is None else kept

    def best_of_all(self, measurements: Iterable[Measurement]) -> Measurement | None:
        """As `best`, whatever the constraints say."""
        best: Measurement | None = None
        key, lowest = self.key, math.inf  # in a study of thousands this is most of what a look at it costs
        sign = 1 if self.direction == "minimize" else -1
        for measurement in measurements:
            if measurement.rung == 0:
                continue
            value = sign * measurement.values.get(key, math.nan)
            if value < lowest or (best is None and not math.isnan(value)):
                best, lowest = measurement, value
        return best
