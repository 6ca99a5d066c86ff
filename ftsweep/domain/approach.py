"""A whole approach, judged by its best trial, as it is compared with the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Approach:
    """One line of the comparison. A number that was not measured, or that no trial brought, is None or absent."""

    name: str
    branches: tuple[str, ...]
    """Labels: the branch itself, or those that start from this base."""
    is_base: bool = False
    trial: int | None = None
    """The branch's best complete and feasible trial by the objective; None for a base, or when there is no such."""
    num_trials: int = 0
    fate: str = ""
    """What became of the branch's trials, when none of them can represent it."""
    validation: Mapping[str, float] = field(default_factory=dict)
    """By metric, at the best rung."""
    test: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    """One standard error of its metrics on test, by the rows; of those that rows tell."""
    trained_parameters: int | None = None
    train_seconds: float | None = None
    """Of the best trial."""
    branch_seconds: float = 0.0
    """Of all the branch's trials, pruned ones among them."""
    forgetting: float | None = None
    is_comparable: bool = True
    """Whether it was measured on the same data as the best trial of all."""

    @property
    def has_score(self) -> bool:
        return self.is_base or self.trial is not None

    @property
    def trains_nothing(self) -> bool:
        return self.trained_parameters == 0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "branches": list(self.branches)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Approach:
        return cls(**{**data, "branches": tuple(data["branches"])})

    def scores(self) -> dict[str, float]:
        """All scores by `<split>/<metric>`."""
        return {
            f"{split}/{name}": value
            for split, values in (("validation", self.validation), ("test", self.test))
            for name, value in values.items()
        }
