"""One line of the comparison of whole approaches, and how it is written down."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
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

    def tags(self) -> dict[str, str]:
        """Which trial stands for a branch, or what became of its trials: `branch/lora`; {} of a base."""
        if self.is_base:
            return {}
        return {f"branch/{self.name}": self.fate if self.trial is None else f"trial-{self.trial:04d}"}

    def metrics(self) -> dict[str, float]:
        """What a recorder keeps: `branch/lora/test/accuracy`, `branch/lora/train_seconds`.

        Of a base its scores alone, as `base/<branch>/...` for each branch that starts from it.
        """
        if self.is_base:
            return {f"base/{label}/{key}": value for label in self.branches for key, value in self.scores().items()}
        names = ("num_trials", "trained_parameters", "train_seconds", "branch_seconds", "forgetting")
        costs = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return {f"branch/{self.name}/{key}": value for key, value in {**self.scores(), **costs}.items()}


def as_csv(approaches: Sequence[Approach]) -> str:
    """One line each; a cell is empty where nothing is known."""
    lines = []
    for approach in approaches:
        line = {**approach.to_dict(), "branches": " ".join(approach.branches)}
        del line["validation"], line["test"]
        lines.append({**line, **approach.scores()})
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
