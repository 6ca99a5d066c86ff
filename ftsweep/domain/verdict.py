"""How well a trial's training fits: what is wrong with it, in numbers, and the override that mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class VerdictKind(StrEnum):
    """What a verdict can be; of several that hold the first in this order is the trial's."""

    DIVERGED = "diverged"
    OVERFIT = "overfit"
    MEMORISING = "memorising"
    OVER_CONFIDENT = "over-confident"
    NO_LEARNING = "no learning"
    UNDER_TRAINED = "under-trained"
    UNDER_CAPACITY = "under-capacity"
    WORSE_THAN_BASELINE = "worse than baseline"
    HEALTHY = "healthy"


@dataclass(frozen=True)
class Verdict:
    """One verdict with its numbers, and advice as an override that is ready to use."""

    kind: VerdictKind
    message: str
    grade: str = ""  # of overfit: mild, moderate or severe
    numbers: Mapping[str, float] = field(default_factory=dict)
    advice: str = ""
    override: str = ""

    @property
    def label(self) -> str:
        """`overfit (mild)`, `healthy`: as tables and tags spell it."""
        return f"{self.kind} ({self.grade})" if self.grade else str(self.kind)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kind": self.kind.value, "numbers": dict(self.numbers)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verdict:
        return cls(**{**data, "kind": VerdictKind(data["kind"])})
