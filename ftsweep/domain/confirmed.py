"""The choice among trials that were run again with fresh seeds, as a study's result keeps it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

EQUAL = 1.0  # standard errors within which a cheaper setting is preferred: the one-standard-error rule of CART (1984)


@dataclass(frozen=True)
class Candidate:
    """A trial that was run again. `seeds` are the objective's best-rung values of its fresh runs; None: it failed, or
    kept the constraints at no rung.
    """

    number: int
    value: float
    """The trial's own value, by which it came among the best: too good on average."""
    seeds: tuple[float | None, ...]
    forgetting: float | None = None
    train_seconds: float = 0.0
    num_tokens: int = 0
    """Trained on: the cost within a branch, the same on every machine and after every kill."""
    branch: str = ""
    difference: float | None = None
    """The leader's mean minus this one's, on the rows that both answered."""
    standard_error: float | None = None
    is_tied: bool = False
    """Whether the rows do not tell it from the leader."""
    is_default: bool = False
    """Whether it is the setting as written in the sweep file."""

    @property
    def is_equal(self) -> bool:
        """Whether it is so close to the leader that forgetting and cost may decide."""
        if self.difference is None or self.standard_error is None:
            return False
        return abs(self.difference) <= EQUAL * self.standard_error

    @property
    def mean(self) -> float:
        """Over the fresh seeds; NaN when one failed: a setting that works with some seeds only is not chosen."""
        values = [value for value in self.seeds if value is not None]
        return mean(values) if values and len(values) == len(self.seeds) else math.nan

    @property
    def spread(self) -> float | None:
        """Standard deviation over the fresh seeds."""
        values = [value for value in self.seeds if value is not None]
        return stdev(values) if len(values) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        found = {**asdict(self), "seeds": list(self.seeds), "mean": self.mean, "spread": self.spread}
        return {**found, "mean": None if math.isnan(self.mean) else self.mean}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Candidate:
        told = {key: value for key, value in data.items() if key not in ("mean", "spread")}
        return cls(**{**told, "seeds": tuple(data["seeds"])})


@dataclass(frozen=True)
class Choice:
    """The confirmed winner, all candidates with the leader by mean first, and why in one sentence."""

    number: int
    candidates: tuple[Candidate, ...]
    reason: str

    @property
    def is_distinguishable(self) -> bool:
        """Whether no other candidate is tied with the leader."""
        return not any(candidate.is_tied for candidate in self.candidates[1:])

    def to_dict(self) -> dict[str, Any]:
        """JSON for the study's result."""
        return {
            "number": self.number,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
            "is_distinguishable": self.is_distinguishable,
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Choice:
        return cls(data["number"], tuple(map(Candidate.from_dict, data["candidates"])), data["reason"])
