"""The chosen setting on parts of train, and what that says: whether more data would still help."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any


@dataclass(frozen=True)
class DataPoint:
    """The objective at its best rung on a share of train. `values` one per seed; None: that run did not complete."""

    share: float
    num_examples: int
    values: tuple[float | None, ...]

    @property
    def mean(self) -> float:
        """NaN when a run did not complete: a mean over fewer seeds would not be comparable."""
        values = [value for value in self.values if value is not None]
        return mean(values) if values and len(values) == len(self.values) else math.nan

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "values": list(self.values), "mean": None if math.isnan(self.mean) else self.mean}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DataPoint:
        return cls(float(data["share"]), int(data["num_examples"]), tuple(data["values"]))


@dataclass(frozen=True)
class Gain:
    """What more data gained: positive is better."""

    smaller: float
    larger: float
    """Shares of train."""
    value: float
    standard_error: float | None
    """Over rows and seeds together; None where neither tells."""


@dataclass(frozen=True)
class DataScaling:
    """What a setting comes to on growing parts of train. No points where it was not tried: then `sentence` says why."""

    sentence: str
    points: tuple[DataPoint, ...] = ()
    gains: tuple[Gain, ...] = ()
    """From each share to the next larger one; none where a run did not complete."""
    left_out: str = ""
    """Why runs were refused; the same command may make them later."""

    def to_dict(self) -> dict[str, Any]:
        """JSON for the study's result."""
        found = {
            "points": [point.to_dict() for point in self.points],
            "gains": [asdict(gain) for gain in self.gains],
            "sentence": self.sentence,
        }
        return {**found, "left_out": self.left_out} if self.left_out else found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DataScaling:
        return cls(
            data["sentence"],
            tuple(map(DataPoint.from_dict, data["points"])),
            tuple(Gain(**gain) for gain in data["gains"]),
            data.get("left_out", ""),
        )
