"""What a trial looked like at one rung."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """The numbers of one trial at one rung, measured in eval mode on whole splits.

    `rung` counts from 0 (before training) to the study's rung count R; `progress` is the fraction of the trial's own
    planned examples it has seen. `values` maps `<split>/<metric>` to a number (`validation/loss`, `train/loss`).
    """

    rung: int
    progress: float
    num_examples: int
    num_tokens: int
    train_seconds: float
    timestamp: float
    values: Mapping[str, float] = field(default_factory=dict)
    constraints: Mapping[str, float] = field(default_factory=dict)
    """By name; one above 0 is violated at this rung, and so is a NaN."""

    @property
    def is_feasible(self) -> bool:
        """Whether every constraint holds."""
        return all(value <= 0 for value in self.constraints.values())

    def to_dict(self) -> dict[str, Any]:
        told = {each.name: getattr(self, each.name) for each in fields(self)}  # asdict takes seven times as long
        told |= {"values": dict(self.values), "constraints": dict(self.constraints)}
        return told if self.constraints else {key: told[key] for key in told if key != "constraints"}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        return cls(**data)
