"""Whether a trial over- or underfits, from what it measured at its rungs: pure functions of numbers.

Rules and thresholds: Prechelt 1998 (generalisation loss), and paired z statistics over the per-example losses of two
rungs. Notation as in docs/fit-verdicts.md: V validation, P train probe, t* the rung with the lowest validation loss.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

from ftsweep.domain.guard import Guard
from ftsweep.domain.trial import OutcomeKind
from ftsweep.domain.verdict import Verdict, VerdictKind, consistent
from ftsweep.errors import ConfigError
from ftsweep.verdicts.curve import FitCurve, standard_error
from ftsweep.verdicts.facts import (
    TRAIN_FALL,
    TrialFit,
    has_risen,
    holding_back,
    rate_advice,
    scaled,
    share_metric,
    told_share,
)

Mode = Literal["judge", "off"]

MODERATE, SEVERE = 5.0, 15.0  # generalisation loss, %
LARGE_GRADIENT_SHARE = 0.05
LOSS_RISE = 2.0  # times its start
NUM_RISEN_RUNGS = 3
CLOSE = 1.02  # times the study's best validation loss
CALIBRATION_RISE = 0.02
LEAST_GAP = 0.1  # of the start's loss: where both losses are next to nothing, their ratio says nothing


class FitVerdicts(Guard):
    """Judges a trial by its rungs.

    Args:
        mode: judge, or off.
        overfit: generalisation loss in % from which a rise of the validation loss counts.
        memorising: gap between validation and train loss, relative to the former, above which a model memorises.
        min_progress: the least relative fall of the validation loss that counts as learning.
        under_trained_slope: relative fall over the last fifth of the run above which training stopped too early.
        under_trained_share: the same for the share of the train loss's fall that comes then; a straight line has 0.2.
        small_gap: gap below which a model is not limited by the amount of data.
        far_above_best: validation loss in multiples of the study's best above which a setting is too weak.
        z: standard errors that a difference must exceed.
    """

    modes = get_args(Mode)

    def __init__(
        self,
        *,
        mode: Mode = "judge",
        overfit: float = 2.0,
        memorising: float = 0.5,
        min_progress: float = 0.01,
        under_trained_slope: float = 0.01,
        under_trained_share: float = 0.1,
        small_gap: float = 0.05,
        far_above_best: float = 1.3,
        z: float = 2.0,
    ) -> None:
        super().__init__(mode)
        self.overfit = overfit
        self.memorising = memorising
        self.min_progress = min_progress
        self.under_trained_slope = under_trained_slope
        self.under_trained_share = under_trained_share
        self.small_gap = small_gap
        self.far_above_best = far_above_best
        self.z = z
        for name, value in self.settings.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (is_number and 0 < value < math.inf):
                raise ConfigError(f"must be a number above 0, not {value!r}", where=name)

    @property
    def settings(self) -> dict[str, Any]:
        """The thresholds that verdicts were made with."""
        return {name: value for name, value in vars(self).items() if name != "mode"}

    def judge(self, fit: TrialFit) -> list[Verdict]:
        """All verdicts that hold, the trial's own first; `healthy` alone when none does, nothing without anything to
        judge by.

        A trial that still runs, or was stopped or pruned, is judged by what it has measured: verdicts that need its end
        are left out.
        """
        kind = fit.outcome.kind if fit.outcome is not None else None
        curve = FitCurve.of(fit.measurements, fit.tests)
        if kind is OutcomeKind.DIVERGED and fit.outcome is not None:
            return [self._diverged(fit, curve, fit.outcome.reason.rstrip("."))]
        if kind in (OutcomeKind.FAILED, OutcomeKind.INFEASIBLE):
            return []
        is_complete = kind is OutcomeKind.COMPLETE
        if curve is None:
            worse = self._worse_than_baseline(fit, None) if is_complete else None
            return [worse] if worse else []
        checks = [
            self._diverges(fit, curve),
            self._overfit(fit, curve),
            self._memorising(fit, curve),
            self._over_confident(fit, curve),
        ]
        if is_complete:
            checks += [
                self._no_learning(fit, curve),
                self._under_trained(fit, curve),
                self._under_capacity(fit, curve),
                self._worse_than_baseline(fit, curve),
            ]
        found = consistent([verdict for verdict in checks if verdict is not None])
        grade = "" if is_complete else f"until {kind}" if kind is not None else "so far"
        return found or [Verdict(VerdictKind.HEALTHY, curve.text, grade=grade, numbers=curve.numbers())]

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
            advice="Lower the learning rate",
            override=scaled(fit, "learning_rate", 1 / 10),
        )

    def _overfit(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        z = curve.tests.z_end
        is_falling = curve.probe[-1] < curve.probe_at(curve.best)
        if curve.generalisation_loss < self.overfit or z is None or z <= self.z or not is_falling:
            return None
        loss = curve.generalisation_loss
        grade = "mild" if loss < MODERATE else "moderate" if loss < SEVERE else "severe"
        return Verdict(
            VerdictKind.OVERFIT,
            f"validation loss rose by {loss:.1f} % after rung {curve.best} (z {z:.1f}) while train loss still fell",
            grade=grade,
            numbers=curve.numbers(),
            advice="Train shorter, or with a lower rate",
            override=scaled(fit, "epochs", curve.progress_at(curve.best)),
        )

    def _memorising(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        gap = curve.gap(curve.best)
        if gap is None or gap <= self.memorising or curve.gap_of_start < LEAST_GAP:
            return None
        return Verdict(
            VerdictKind.MEMORISING,
            f"train loss lies {100 * gap:.0f} % below validation loss at the best rung",
            numbers=curve.numbers(),
            advice="Bring more data, or hold the weights back",
            override=holding_back(fit),
        )

    def _over_confident(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        share = share_metric(fit)
        start, end = curve.measurement(curve.best).values, curve.measurement(curve.end).values
        if share is None or "validation/calibration_error" not in start or curve.best == curve.end:
            return None
        rise = end["validation/calibration_error"] - start["validation/calibration_error"]
        key = f"validation/{share}"
        is_held = end[key] >= start[key] - standard_error(start[key], fit.num_rows)
        z = curve.tests.z_end
        if z is None or z <= self.z or not is_held or rise <= CALIBRATION_RISE:
            return None
        is_chosen_by = fit.objective.metric == share
        return Verdict(
            VerdictKind.OVER_CONFIDENT,
            f"validation loss rises after rung {curve.best} while {share} holds and the calibration error grows by "
            f"{rise:.3f}",
            numbers={**curve.numbers(), "calibration_rise": rise},
            advice="Smooth the labels" if is_chosen_by else "Choose by the metric, or smooth the labels",
            override="task.label_smoothing=0.1" if is_chosen_by else f"objective.metric={share}",
        )

    def _no_learning(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        why = None
        if curve.has_start:
            z = curve.tests.z_start
            if curve.progress < self.min_progress:
                fell = f"fell by {100 * curve.progress:.1f} % only" if curve.progress > 0 else "did not fall at all"
                why = f"validation loss {fell}"
            elif z is not None and z < self.z:
                why = f"the fall of the validation loss is within chance (z {z:.1f})"
        share = told_share(fit)
        majority = fit.baseline.get(share)
        key = f"validation/{share}"
        kept = fit.objective.best(fit.measurements)
        if why is None and majority is not None and kept is not None and key in kept.values:
            limit = majority + self.z * standard_error(majority, fit.num_rows)
            if kept.values[key] <= limit:
                why = (
                    f"{share} {kept.values[key]:.3f} is not above the untouched base's {majority:.3f} by {self.z:g} SE"
                )
        if why is None:
            return None
        advice, override = rate_advice(fit, curve)
        return Verdict(
            VerdictKind.NO_LEARNING,
            why,
            numbers=curve.numbers(),
            advice=advice,
            override=override,
        )

    def _under_trained(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        slope, gap, share = curve.last_slope, curve.gap(curve.end), curve.last_share
        z = curve.tests.z_end
        is_at_end = curve.best == curve.end or (z is not None and z <= self.z)
        if slope is None or not is_at_end or gap is None or gap >= self.small_gap or has_risen(curve):
            return None
        is_half_way = curve.progress >= self.min_progress and share >= self.under_trained_share
        if slope <= self.under_trained_slope and not is_half_way:
            return None
        return Verdict(
            VerdictKind.UNDER_TRAINED,
            f"validation loss still fell by {100 * slope:.1f} % over the last fifth of the run, train loss by "
            f"{100 * share:.0f} % of all that it fell",
            numbers=curve.numbers(),
            advice="Train longer",
            override=scaled(fit, "epochs", 2),
        )

    def _under_capacity(self, fit: TrialFit, curve: FitCurve) -> Verdict | None:
        gap = curve.gap(curve.best)
        lowest = curve.validation_at(curve.best)
        why = None
        is_beaten = fit.best_loss is not None and lowest > CLOSE * fit.best_loss
        if curve.has_start and curve.probe[-1] > TRAIN_FALL * curve.probe[0] and is_beaten:
            why = f"train loss ended at {100 * (curve.probe[-1] / curve.probe[0]):.0f} % of its start"
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
            advice="Raise the learning rate, or let more weights train",
            override=scaled(fit, "learning_rate", 3),
        )

    def _worse_than_baseline(self, fit: TrialFit, curve: FitCurve | None) -> Verdict | None:
        share, kept = share_metric(fit), fit.objective.best(fit.measurements)
        if share is None or kept is None or f"validation/{share}" not in kept.values:
            return None
        value = kept.values[f"validation/{share}"]
        baselines = {"the untouched base": fit.baseline, **fit.others}
        for name, metrics in baselines.items():
            other = metrics.get(share)
            if other is not None and value < other - standard_error(other, fit.num_rows):
                return Verdict(
                    VerdictKind.WORSE_THAN_BASELINE,
                    f"{share} {value:.3f} is below that of {name}, {other:.3f}, by more than a standard error",
                    numbers={**(curve.numbers() if curve else {}), share: value, "baseline": other},
                    advice="This setting does harm: lower the learning rate" if curve else "Prefer what is better",
                    override=scaled(fit, "learning_rate", 1 / 3) if curve else "",
                )
        return None
