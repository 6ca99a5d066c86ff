"""What forgetting is called wherever it is measured, the words for how much it is, and what a study says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

NAME = "forgetting"
"""The guard's name, and that of its constraint."""

LOSS = "general/loss"
FORGETTING = "general/forgetting"
"""Nats per token of general text by which a model is worse than the untouched base."""

BANDS = ((0.02, "none"), (0.10, "mild"), (0.25, "moderate"))
"""Up to so many nats per token; above the last it is severe."""


def band(forgetting: float) -> str:
    """`none`, `mild`, `moderate` or `severe`; a model that became better at general text has forgotten none."""
    return next((name for most, name in BANDS if forgetting <= most), "severe")


@dataclass(frozen=True)
class ScalePoint:
    """A trial's model with its trained change at this scale: the objective on validation, and what it forgets."""

    trial: int
    scale: float
    value: float
    forgetting: float


@dataclass(frozen=True)
class ForgettingTrial:
    """A trial at the rung it is judged by: the objective there, what it forgets in nats per token, and in a word."""

    number: int
    value: float
    rung: int
    forgetting: float
    band: str


@dataclass(frozen=True)
class ForgettingResult:
    """What a study came to under its limit on forgetting."""

    limit: float | None
    chosen: ForgettingTrial | None
    unconstrained: ForgettingTrial | None
    """The best trial without the limit; None in a study without one."""
    cost: float | None
    """How much worse the objective of the chosen trial is than that of the unconstrained one."""
    num_violating: int
    """Complete trials over the limit."""
    scaling: tuple[ScalePoint, ...]
    """Of a few trials with their trained change made smaller."""
    suggestion: ScalePoint | None
    """One of them that is worth taking instead of the chosen model."""
    sentences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON for the study's result."""
        return {**asdict(self), "scaling": list(map(asdict, self.scaling)), "sentences": list(self.sentences)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ForgettingResult:
        trials = {key: ForgettingTrial(**data[key]) if data[key] else None for key in ("chosen", "unconstrained")}
        suggestion = ScalePoint(**data["suggestion"]) if data["suggestion"] else None
        scaling = tuple(ScalePoint(**point) for point in data["scaling"])
        told = {"suggestion": suggestion, "scaling": scaling, "sentences": tuple(data["sentences"])}
        return cls(**{**data, **trials, **told})
