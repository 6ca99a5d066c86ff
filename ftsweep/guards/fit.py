"""Whether a trial over- or underfits, from what it measured at its rungs: pure functions of numbers.

Rules and thresholds: Prechelt 1998 (generalisation loss), and paired z statistics over the per-example losses of two
rungs. Notation as in docs/fit-verdicts.md: V validation, P train probe, t* the rung with the lowest validation loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftsweep.data.rung_losses import RungLosses
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.errors import ConfigError
from ftsweep.guards.fit_curve import FitCurve, standard_error

SHARES = ("macro_f1", "accuracy", "f1", "micro_f1", "subset_accuracy", "token_accuracy")
"""Metrics that are shares of right answers, so that a standard error follows from the number of rows; best known first.
For F1 scores sqrt(p (1 - p) / n) is an approximation."""

MODERATE, SEVERE = 5.0, 15.0  # generalisation loss, %
LARGE_GRADIENT_SHARE = 0.05
LOSS_RISE = 2.0  # times its start
NUM_RISEN_RUNGS = 3
CALIBRATION_RISE = 0.02


@dataclass(frozen=True)
class TrialFit:
    """What a verdict is made from. `losses` has the per-example losses by rung, as far as they were kept."""

    measurements: Sequence[Measurement]
    objective: Objective
    losses: Mapping[int, RungLosses] = field(default_factory=dict)
    outcome: Outcome | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    """Metrics of the untouched base (of a new head: of always naming the commonest label)."""
    others: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Metrics of other baselines of the study by name: few-shot, head only."""
    best_loss: float | None = None
    """The lowest validation loss of the study's complete trials."""


class FitVerdicts:
    """Judges a trial by its rungs.

    Args:
        overfit: generalisation loss in % from which a rise of the validation loss counts.
        memorising: gap between validation and train loss, relative to the former, above which a model memorises.
        min_progress: the least relative fall of the validation loss that counts as learning.
        under_trained_slope: relative fall over the last fifth of the run above which training stopped too early.
        small_gap: gap below which a model is not limited by the amount of data.
        far_above_best: validation loss in multiples of the study's best above which a setting is too weak.
        z: standard errors that a difference must exceed.
    """

    def __init__(
        self,
        *,
        overfit: float = 2.0,
        memorising: float = 0.5,
        min_progress: float = 0.01,
        under_trained_slope: float = 0.01,
        small_gap: float = 0.05,
        far_above_best: float = 1.3,
        z: float = 2.0,
    ) -> None:
        for name, value in list(locals().items()):
            if name != "self" and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
                raise ConfigError(f"must be a number above 0, not {value!r}", where=f"guards.fit.{name}")
        self.overfit = overfit
        self.memorising = memorising
        self.min_progress = min_progress
        self.under_trained_slope = under_trained_slope
        self.small_gap = small_gap
        self.far_above_best = far_above_best
        self.z = z

    def judge(self, fit: TrialFit) -> list[Verdict]:
        """All verdicts that hold, the trial's own first; `healthy` alone when none does.

        A trial that still runs, or was pruned, is judged by what it has measured: verdicts that need its end are left
        out.
        """
        curve = FitCurve.of(fit.measurements, fit.losses)
        if fit.outcome is not None and fit.outcome.kind is OutcomeKind.DIVERGED:
            return [self._diverged(fit, curve, fit.outcome.reason)]
        if curve is None:
            return [self._worse_than_baseline(fit, None) or Verdict(VerdictKind.HEALTHY, "no rung to judge by")]
        checks = [
            self._diverges(fit, curve),
            self._overfit(fit, curve),
            self._memorising(fit, curve),
            self._over_confident(fit, curve),
        ]
        if fit.outcome is not None and fit.outcome.kind is OutcomeKind.COMPLETE:
            checks += [
                self._no_learning(fit, curve),
                self._under_trained(fit, curve),
                self._under_capacity(fit, curve),
                self._worse_than_baseline(fit, curve),
            ]
        found = [verdict for verdict in checks if verdict is not None]
        return found or [Verdict(VerdictKind.HEALTHY, _healthy_text(curve), numbers=curve.numbers())]

    # -- one rule each --------------------------------------------------------------------------------------------

    def _diverges(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        risen = sum(loss > LOSS_RISE * curve.probe[0] for loss in curve.probe[1:]) if curve.has_start else 0
        if risen >= NUM_RISEN_RUNGS:
            return self._diverged(fit, curve, f"train loss was above twice its start at {risen} rungs")
        extra = fit.outcome.extra if fit.outcome is not None else {}
        num_steps, num_large = extra.get("num_steps", 0), extra.get("num_large_gradients", 0)
        if num_steps and num_large / num_steps >= LARGE_GRADIENT_SHARE:
            return self._diverged(fit, curve, f"{num_large} of {num_steps} steps had a gradient norm above 100")
        return None

    def _diverged(self, fit: TrialFit, curve: FitCurve | None, why: str) -> Verdict:
        return Verdict(
            VerdictKind.DIVERGED,
            why,
            numbers=curve.numbers() if curve else {},
            advice="Lower the learning rate.",
            override=_scaled(fit, "learning_rate", 1 / 10),
        )

    def _overfit(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        z = curve.z(curve.end, curve.best)
        is_falling = curve.probe[-1] < curve.probe_at(curve.best)
        if curve.generalisation_loss < self.overfit or z is None or z <= self.z or not is_falling:
            return None
        loss = curve.generalisation_loss
        grade = "mild" if loss < MODERATE else "moderate" if loss < SEVERE else "severe"
        return Verdict(
            VerdictKind.OVERFIT,
            f"validation loss rose {loss:.1f} % after rung {curve.best} (z {z:.1f}) while train loss still fell; the "
            f"weights kept are those of the best rung",
            grade=grade,
            numbers=curve.numbers(),
            advice="Train shorter, or with a lower rate.",
            override=_scaled(fit, "epochs", curve.progress_at(curve.best)),
        )

    def _memorising(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        gap = curve.gap(curve.best)
        if gap is None or gap <= self.memorising:
            return None
        has_dropout = "dropout" in fit.config.get("strategy", {})
        return Verdict(
            VerdictKind.MEMORISING,
            f"train loss is {gap:.0%} below validation loss at the best rung",
            numbers=curve.numbers(),
            advice="Bring more data, or hold the weights back.",
            override="strategy.dropout=0.1" if has_dropout else "training.weight_decay=0.1",
        )

    def _over_confident(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        share = share_metric(fit)
        start, end = curve.measurement(curve.best).values, curve.measurement(curve.end).values
        if share is None or "validation/calibration_error" not in start or curve.best == curve.end:
            return None
        rise = end["validation/calibration_error"] - start["validation/calibration_error"]
        key = f"validation/{share}"
        is_held = end[key] >= start[key] - standard_error(start[key], curve.num_rows)
        if curve.validation[-1] <= curve.validation_at(curve.best) or not is_held or rise <= CALIBRATION_RISE:
            return None
        return Verdict(
            VerdictKind.OVER_CONFIDENT,
            f"validation loss rises after rung {curve.best} while {share} holds and the calibration error grows by "
            f"{rise:.3f}",
            numbers={**curve.numbers(), "calibration_rise": rise},
            advice="Choose by the metric, or smooth the labels (task.label_smoothing=0.1).",
            override=f"objective.metric={share}",
        )

    def _no_learning(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        why = None
        if curve.has_start:
            z = curve.z(curve.start, curve.best)
            if curve.progress < self.min_progress:
                why = f"validation loss fell by {max(curve.progress, 0):.1%} only"
            elif z is not None and z < self.z:
                why = f"the fall of the validation loss is within chance (z {z:.1f})"
        majority = fit.baseline.get("accuracy")
        key = "validation/accuracy"
        kept = fit.objective.best(fit.measurements)
        if why is None and majority is not None and kept is not None and key in kept.values:
            limit = majority + 2 * standard_error(majority, curve.num_rows)
            if kept.values[key] <= limit:
                why = f"accuracy {kept.values[key]:.3f} is not above the untouched base's {majority:.3f} + 2 SE"
        if why is None:
            return None
        is_too_high = curve.has_start and max(curve.probe[1:]) > 1.02 * curve.probe[0]
        return Verdict(
            VerdictKind.NO_LEARNING,
            why,
            numbers=curve.numbers(),
            advice="The loss rose: lower the learning rate." if is_too_high else "Raise the learning rate.",
            override=_scaled(fit, "learning_rate", 1 / 3 if is_too_high else 3),
        )

    def _under_trained(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        slope, gap = curve.last_slope, curve.gap(curve.end)
        if curve.best != curve.end or slope is None or slope <= self.under_trained_slope:
            return None
        if gap is None or gap >= self.small_gap:
            return None
        return Verdict(
            VerdictKind.UNDER_TRAINED,
            f"validation loss still fell by {slope:.1%} over the last fifth of the run",
            numbers=curve.numbers(),
            advice="Train longer.",
            override=_scaled(fit, "epochs", 2),
        )

    def _under_capacity(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        gap = curve.gap(curve.best)
        lowest = curve.validation_at(curve.best)
        why = None
        if curve.has_start and curve.probe[-1] > 0.9 * curve.probe[0]:
            why = f"train loss ended at {curve.probe[-1] / curve.probe[0]:.0%} of its start"
        elif (
            fit.best_loss and gap is not None and gap < self.small_gap and lowest > self.far_above_best * fit.best_loss
        ):
            why = f"validation loss is {lowest / fit.best_loss:.2f} times the study's best, without a gap to train"
        if why is None:
            return None
        return Verdict(
            VerdictKind.UNDER_CAPACITY,
            why,
            numbers=curve.numbers(),
            advice="Raise the learning rate, or let more weights train.",
            override=_scaled(fit, "learning_rate", 3),
        )

    def _worse_than_baseline(self, fit: TrialFit, curve: FitCurve | None) -> Verdict | None:
        share, kept = share_metric(fit), fit.objective.best(fit.measurements)
        if share is None or kept is None or curve is None:
            return None
        value = kept.values[f"validation/{share}"]
        baselines = {"the untouched base": fit.baseline, **fit.others}
        for name, metrics in baselines.items():
            other = metrics.get(share)
            if other is not None and value < other - standard_error(other, curve.num_rows):
                return Verdict(
                    VerdictKind.WORSE_THAN_BASELINE,
                    f"{share} {value:.3f} is below that of {name}, {other:.3f}, by more than a standard error",
                    numbers=curve.numbers(),
                    advice="This setting does harm: lower the learning rate.",
                    override=_scaled(fit, "learning_rate", 1 / 3),
                )
        return None


def share_metric(fit: TrialFit) -> str | None:
    """The task's metric that is a share of right answers: the objective's when it is one, else the best known."""
    measured = fit.measurements[-1].values if fit.measurements else {}
    names = (fit.objective.metric, *SHARES) if fit.objective.metric in SHARES else SHARES
    return next((name for name in names if f"validation/{name}" in measured), None)


def _healthy_text(curve: FitCurve) -> str:
    gap = curve.gap(curve.best)
    fell = f"validation loss fell by {curve.progress:.1%}" if curve.has_start else "validation loss was measured"
    return fell + (f", {gap:.1%} above train loss" if gap is not None and gap > 0 else "")


def _scaled(fit: TrialFit, key: str, factor: float) -> str:
    """`training.<key>=` the trial's own value times a factor, rounded to what a person would type."""
    value = fit.config.get("training", {}).get(key)
    return "" if value is None else f"training.{key}={float(f'{float(value) * factor:.2g}'):g}"
