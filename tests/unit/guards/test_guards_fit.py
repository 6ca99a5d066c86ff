"""Each verdict on a curve made to have it, and silence on healthy ones."""

from __future__ import annotations

import numpy as np
import pytest

from ftsweep.data.rung_losses import RungLosses, read_losses, write_losses
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.errors import ConfigError
from ftsweep.guards.fit import FitVerdicts, TrialFit
from ftsweep.guards.fit_curve import paired_z

CONFIG = {"training": {"learning_rate": 1e-3, "epochs": 3}, "strategy": {"dropout": 0.0}}
NUM_ROWS = 400


def fit_of(validation, train, *, noise=0.02, kind=OutcomeKind.COMPLETE, metrics=None, extra=None, **facts):
    """A trial whose losses at rungs 0, 1, ... are these, with per-example losses around them."""
    last = len(validation) - 1
    generator = np.random.default_rng(0)
    base = generator.gamma(2.0, 0.5, NUM_ROWS)
    losses, measurements = {}, []
    for rung, (value, probe) in enumerate(zip(validation, train, strict=True)):
        rows = base - base.mean() + value + generator.normal(0, noise, NUM_ROWS)
        losses[rung] = RungLosses(rows.astype(np.float32), rows.astype(np.float32), np.ones(NUM_ROWS, np.int32))
        values = {"validation/loss": value, "train/loss": probe}
        values |= {f"validation/{name}": curve[rung] for name, curve in (metrics or {}).items()}
        measurements.append(Measurement(rung, rung / last, rung, rung, 1.0, 0.0, values))
    outcome = None if kind is None else Outcome(kind, "why", extra=extra or {})
    return TrialFit(measurements, Objective(), losses, outcome, CONFIG, **facts)


def judged(fit):
    return FitVerdicts().judge(fit)[0]


def test_a_healthy_run_is_healthy():
    verdict = judged(fit_of([2.0, 1.5, 1.2, 1.05, 1.0, 0.998], [2.0, 1.45, 1.1, 0.95, 0.9, 0.9]))
    assert verdict.kind is VerdictKind.HEALTHY
    assert verdict.numbers["progress"] == pytest.approx(0.501)


@pytest.mark.parametrize(("end", "grade"), [(1.03, "mild"), (1.1, "moderate"), (1.3, "severe")])
def test_a_validation_loss_that_rises_while_train_loss_falls_is_overfit(end, grade):
    verdict = judged(fit_of([2.0, 1.2, 1.0, (1 + end) / 2, end], [2.0, 1.1, 0.9, 0.8, 0.7]))
    assert (verdict.kind, verdict.grade) == (VerdictKind.OVERFIT, grade)
    assert verdict.override == "training.epochs=1.5"
    assert verdict.numbers["generalisation_loss"] == pytest.approx(100 * (end - 1))


def test_a_rise_within_chance_is_not_overfit():
    noisy = fit_of([2.0, 1.2, 1.0, 1.01, 1.03], [2.0, 1.1, 0.9, 0.8, 0.75], noise=3.0)
    assert judged(noisy).kind is not VerdictKind.OVERFIT


def test_a_rise_of_both_losses_is_not_overfit():
    verdicts = FitVerdicts().judge(fit_of([2.0, 1.2, 1.0, 1.1], [2.0, 1.1, 0.9, 1.0]))
    assert VerdictKind.OVERFIT not in {verdict.kind for verdict in verdicts}


def test_overfit_is_seen_while_the_trial_runs_and_what_needs_its_end_is_not():
    running = fit_of([2.0, 1.2, 1.0, 1.2], [2.0, 1.1, 0.9, 0.7], kind=None)
    assert judged(running).kind is VerdictKind.OVERFIT
    flat = fit_of([2.0, 2.0, 2.0], [2.0, 2.0, 2.0], kind=None)
    assert judged(flat).kind is VerdictKind.HEALTHY


def test_a_large_gap_is_memorising():
    verdict = judged(fit_of([2.0, 1.2, 1.0, 0.99], [2.0, 0.9, 0.5, 0.3]))
    assert verdict.kind is VerdictKind.MEMORISING
    assert verdict.override == "strategy.dropout=0.1"


def test_confidence_that_outgrows_the_metric_is_told_beside_overfit():
    metrics = {"accuracy": [0.2, 0.6, 0.7, 0.705], "calibration_error": [0.1, 0.05, 0.05, 0.12]}
    verdicts = FitVerdicts().judge(fit_of([2.0, 1.2, 1.0, 1.1], [2.0, 1.1, 0.8, 0.6], metrics=metrics))
    assert [verdict.kind for verdict in verdicts] == [VerdictKind.OVERFIT, VerdictKind.OVER_CONFIDENT]
    assert verdicts[1].override == "objective.metric=accuracy"


def test_a_flat_loss_is_no_learning_and_asks_for_a_higher_rate():
    verdict = judged(fit_of([2.0, 1.999, 1.998, 1.998], [2.0, 1.999, 1.998, 1.998]))
    assert verdict.kind is VerdictKind.NO_LEARNING
    assert verdict.override == "training.learning_rate=0.003"


def test_a_classifier_that_names_the_majority_learnt_nothing_and_a_risen_loss_asks_for_a_lower_rate():
    metrics = {"accuracy": [0.1, 0.3, 0.3, 0.3]}
    fit = fit_of([2.3, 2.0, 1.9, 1.9], [2.3, 2.6, 1.9, 1.9], metrics=metrics, baseline={"accuracy": 0.3})
    verdict = judged(fit)
    assert verdict.kind is VerdictKind.NO_LEARNING
    assert float(verdict.override.partition("=")[2]) < 1e-3


def test_a_loss_that_still_falls_at_the_end_is_under_trained():
    verdict = judged(fit_of([2.0, 1.8, 1.6, 1.4, 1.2, 1.0], [2.0, 1.79, 1.59, 1.39, 1.19, 0.99]))
    assert verdict.kind is VerdictKind.UNDER_TRAINED
    assert verdict.override == "training.epochs=6"


def test_a_train_loss_that_hardly_fell_is_under_capacity():
    verdict = judged(fit_of([2.0, 1.9, 1.87, 1.868], [2.0, 1.9, 1.88, 1.878]))
    assert verdict.kind is VerdictKind.UNDER_CAPACITY


def test_far_above_the_studys_best_without_a_gap_is_under_capacity():
    fit = fit_of([2.0, 1.2, 1.1, 1.1], [2.0, 1.2, 1.09, 1.09], best_loss=0.5)
    assert judged(fit).kind is VerdictKind.UNDER_CAPACITY


def test_a_metric_below_a_baseline_is_told():
    metrics = {"accuracy": [0.1, 0.4, 0.5, 0.5]}
    fit = fit_of([2.0, 1.2, 1.0, 1.0], [2.0, 1.1, 0.95, 0.95], metrics=metrics, others={"few_shot": {"accuracy": 0.7}})
    assert judged(fit).kind is VerdictKind.WORSE_THAN_BASELINE
    assert "few_shot" in judged(fit).message


@pytest.mark.parametrize(
    "fit",
    [
        fit_of([2.0, 1.0], [2.0, 1.0], kind=OutcomeKind.DIVERGED),
        fit_of([2.0, 5.0, 6.0, 7.0], [2.0, 5.0, 6.0, 7.0]),
        fit_of([2.0, 1.2, 1.0], [2.0, 1.1, 0.9], extra={"num_steps": 100, "num_large_gradients": 6}),
    ],
)
def test_each_way_of_diverging_asks_for_a_tenth_of_the_rate(fit):
    assert judged(fit).kind is VerdictKind.DIVERGED
    assert judged(fit).override == "training.learning_rate=0.0001"


def test_a_trial_that_measured_no_losses_is_judged_by_nothing():
    once = Measurement(5, 1.0, 0, 0, 0.0, 0.0, {"validation/accuracy": 0.5})
    assert FitVerdicts().judge(TrialFit([once], Objective("accuracy", direction="maximize")))[0].kind == "healthy"


@pytest.mark.parametrize("name", ["overfit", "z", "small_gap"])
def test_thresholds_that_mean_nothing_are_refused(name):
    with pytest.raises(ConfigError, match=name):
        FitVerdicts(**{name: 0})


def test_paired_z_is_that_of_a_paired_t_statistic():
    from scipy.stats import ttest_rel

    generator = np.random.default_rng(1)
    left, right = generator.normal(1.1, 1, 50), generator.normal(1.0, 1, 50)
    assert paired_z(left, right) == pytest.approx(ttest_rel(left, right).statistic)
    assert paired_z(left, left) == 0.0
    assert paired_z(left[:3], right) is None


def test_losses_come_back_as_they_were_written_and_damage_is_no_error(tmp_path):
    losses = RungLosses(np.array([1, 2], np.float32), np.array([3], np.float32), np.array([1, 5], np.int32))
    write_losses(tmp_path, 3, losses)
    write_losses(tmp_path, 3, RungLosses())
    found = read_losses(tmp_path, 3)
    assert found is not None
    assert (found.validation.tolist(), found.train.tolist(), found.units.tolist()) == ([1, 2], [3], [1, 5])
    assert read_losses(tmp_path, 4) is None
    next((tmp_path / "losses").iterdir()).write_bytes(b"PK torn")
    assert read_losses(tmp_path, 3) is None


def test_a_verdict_survives_json():
    verdict = judged(fit_of([2.0, 1.2, 1.0, 1.3], [2.0, 1.1, 0.9, 0.7]))
    assert Verdict.from_dict(verdict.to_dict()) == verdict
    assert verdict.label == "overfit (severe)"
