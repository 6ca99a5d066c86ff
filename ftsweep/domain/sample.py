"""One row that a model has answered, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sample:
    """A row of a split with the answer of one model. All texts come from outside: whoever shows them escapes them."""

    row: int
    """Its place in the split."""
    prompt: str
    expected: str
    answer: str
    scores: Mapping[str, float] = field(default_factory=dict)
    """By metric; without those that the row does not tell."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
