"""Scores of a model with how sure they are, as a worker answers them and a study's result keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FEW_CLUSTERS = 10
"""Of fewer, what they have in common by chance would pass for certainty: two that score alike for no error at all."""


@dataclass(frozen=True)
class Interval:
    """How sure a score is: its standard error, and the ends of its 95 % interval."""

    standard_error: float
    low: float
    high: float


def read_intervals(data: Mapping[str, Mapping[str, float]]) -> dict[str, Interval]:
    """Intervals by metric, from JSON."""
    return {metric: Interval(**interval) for metric, interval in data.items()}


@dataclass(frozen=True)
class PartScores:
    """A model's scores on some rows of a split; no intervals where the rows are too few."""

    num_rows: int
    values: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PartScores:
        return cls(data["num_rows"], data["values"], read_intervals(data["intervals"]))


Flagged = Mapping[str, Mapping[str, PartScores]]
"""By split, by part (`clean`, `flagged`, then each guard): a model on rows that guards flagged, and on the others."""


def read_flagged(data: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, PartScores]]:
    """From JSON; splits of which nothing is known are left out."""
    return {
        split: {name: PartScores.from_dict(part) for name, part in parts.items()}
        for split, parts in data.items()
        if parts
    }
