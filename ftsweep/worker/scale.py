"""What a trial's model scores when its trained change is made smaller: skill against forgetting, for free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftsweep.evaluation.forgetting import ForgettingMeter
from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.worker.components import Components

SCALES = (0.0, 0.25, 0.5, 0.75)
"""Measured; at 1 it is the trial's own model, whose scores are known."""


def scaled_scores(
    components: Components, parts: TrialParts, best: Path, meter: ForgettingMeter | None
) -> dict[str, Any]:
    """`points`: of each scale its `scale` and `values` on validation and general text.

    [] for a strategy whose change cannot be scaled.
    """
    points: list[dict[str, Any]] = []
    evaluator, answers = components.evaluator_of(parts), components.answers_of(parts)
    for scale in SCALES if parts.strategy.is_scalable else ():
        with components.restored(parts, best, scale=scale) as model:
            scores = evaluator.measure(model, parts.prepared.split("validation"))
            scores |= {} if answers is None else answers.at_rung(model).values
            values = {f"validation/{name}": value for name, value in scores.items()}
            points.append({"scale": scale, "values": {**values, **({} if meter is None else meter.values(model))}})
    return {"points": points}
