"""What a verdict is made from, and the overrides that advice ends in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.metric import of_right_answers
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome
from ftsweep.verdicts.curve import NO_TESTS, FitCurve, PairedTests

TRAIN_RISE, TRAIN_FALL = 1.02, 0.9
"""Times its start: a train loss beyond the one has risen, below the other has fallen."""

FAR_RISE = 2.0  # times its start, at any rung: the rate is not a little too high


@dataclass(frozen=True)
class TrialFit:
    """What a verdict is made from."""

    measurements: Sequence[Measurement]
    objective: Objective
    tests: PairedTests = NO_TESTS
    num_rows: int = 1
    """Validation examples; 1 where it is not known, so that no standard error is too small."""
    outcome: Outcome | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    """Metrics of the untouched base (of a new head: of always naming the commonest label)."""
    others: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Metrics of other baselines of the study by name: few-shot, head only."""
    best_loss: float | None = None
    """The lowest validation loss of the study's complete trials."""


def share_metric(fit: TrialFit) -> str | None:
    """The task's metric that is a share of right answers: the objective's when it is one, else the best known."""
    measured = fit.measurements[-1].values if fit.measurements else {}
    names = {key.removeprefix("validation/") for key in measured if key.startswith("validation/")}
    metrics, own = fit.objective.metrics, fit.objective.metric
    if own in names and own in metrics and metrics[own].is_share:
        return own
    return of_right_answers(metrics, names)


def told_share(fit: TrialFit) -> str:
    """The share of rows of which a trial should have more right than the untouched base: the objective where it is
    one, as for pairs, whose `accuracy` is another measure for every loss; else `accuracy`.
    """
    own = fit.objective.metrics.get(fit.objective.metric)
    is_share_of_rows = own is not None and own.is_share and own.is_readable and own.compares_parts
    return fit.objective.metric if is_share_of_rows else "accuracy"


def scaled(fit: TrialFit, key: str, factor: float) -> str:
    """`training.<key>=` the trial's own value times a factor, rounded to what a person would type."""
    value = fit.config.get("training", {}).get(key)
    return "" if value is None else f"training.{key}={float(f'{float(value) * factor:.2g}'):g}"


def holding_back(fit: TrialFit) -> str:
    """More dropout where the strategy has some, else more weight decay."""
    dropout = fit.config.get("strategy", {}).get("dropout")
    if isinstance(dropout, int | float) and not isinstance(dropout, bool):
        return f"strategy.dropout={min(0.5, max(0.1, 2 * dropout)):g}"
    return f"training.weight_decay={max(0.1, 2 * fit.config.get('training', {}).get('weight_decay', 0.0)):g}"


def has_risen(curve: FitCurve) -> bool:
    """Whether the train loss was above its start at any rung: the rate is too high."""
    return curve.has_start and max(curve.probe[1:]) > TRAIN_RISE * curve.probe[0]


def rate_advice(fit: TrialFit, curve: FitCurve) -> tuple[str, str]:
    """What to do about a validation loss that did not fall, by what became of the train loss."""
    if has_risen(curve):
        factor = 1 / 10 if max(curve.probe[1:]) > FAR_RISE * curve.probe[0] else 1 / 3
        return "Lower the learning rate (the train loss rose)", scaled(fit, "learning_rate", factor)
    if curve.has_start and min(curve.probe[1:]) < TRAIN_FALL * curve.probe[0]:
        return "Bring more data, or lower the learning rate (the train loss fell)", scaled(fit, "learning_rate", 1 / 3)
    return "Raise the learning rate", scaled(fit, "learning_rate", 3)
