"""Each verdict on a curve made to have it, and silence on healthy ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.domain.verdict import Verdict, VerdictKind
from ftsweep.errors import ConfigError
from ftsweep.store.row_scores import RungLosses, read_losses, write_losses
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.preference import Preference
from ftsweep.verdicts.curve import PairedTests, paired_z
from ftsweep.verdicts.facts import TrialFit
from ftsweep.verdicts.trial import FitVerdicts

CONFIG = {"training": {"learning_rate": 1e-3, "epochs": 3}, "strategy": {"dropout": 0.0}}
NUM_ROWS = 400


def fit_of(validation, train, *, noise=0.02, kind=OutcomeKind.COMPLETE, metrics=None, extra=None, **facts):
    """A trial whose losses at rungs 0, 1, ... are these, with per-example losses around them."""
    last = len(validation) - 1
    generator = np.random.default_rng(0)
    base = generator.gamma(2.0, 0.5, NUM_ROWS)
    rows, measurements = [], []
    for rung, (value, probe) in enumerate(zip(validation, train, strict=True)):
        rows.append(base - base.mean() + value + generator.normal(0, noise, NUM_ROWS))
        values = {"validation/loss": value, "train/loss": probe}
        values |= {f"validation/{name}": curve[rung] for name, curve in (metrics or {}).items()}
        measurements.append(Measurement(rung, rung / last, rung, rung, 1.0, 0.0, values))
    outcome = None if kind is None else Outcome(kind, "why", extra=extra or {})
    best = min(range(1, len(rows)), key=lambda rung: validation[rung])
    tests = PairedTests(paired_z(rows[0], rows[best]), paired_z(rows[-1], rows[best]))
    return TrialFit(measurements, Objective(metrics=Classification.metrics), tests, NUM_ROWS, outcome, CONFIG, **facts)


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
    assert judged(flat).label == "healthy (so far)"


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


def test_pairs_are_held_against_the_base_by_the_objective():
    metrics = {"ranking_accuracy": [0.52, 0.7, 0.7, 0.7], "accuracy": [0.5, 0.5, 0.5, 0.5]}
    told = {"metrics": metrics, "baseline": {"accuracy": 0.5, "ranking_accuracy": 0.52}}
    fit = fit_of([2.0, 1.2, 1.0, 0.999], [2.0, 1.2, 1.0, 0.999], **told)
    objective = Objective("ranking_accuracy", direction="maximize", metrics=Preference.metrics)
    assert judged(replace(fit, objective=objective)).kind is not VerdictKind.NO_LEARNING
    weak = {"accuracy": 0.5, "ranking_accuracy": 0.7}
    assert "ranking_accuracy 0.700" in judged(replace(fit, objective=objective, baseline=weak)).text


def test_a_loss_that_still_falls_at_the_end_is_under_trained():
    verdict = judged(fit_of([2.0, 1.8, 1.6, 1.4, 1.2, 1.0], [2.0, 1.79, 1.59, 1.39, 1.19, 0.99]))
    assert verdict.kind is VerdictKind.UNDER_TRAINED
    assert verdict.override == "training.epochs=6"


def test_a_loss_that_falls_in_a_straight_line_is_under_trained_however_little_that_is():
    line = fit_of([2.0, 1.99, 1.98, 1.97, 1.96, 1.95], [2.0, 1.99, 1.98, 1.97, 1.96, 1.95])
    assert judged(line).kind is VerdictKind.UNDER_TRAINED
    assert judged(line).numbers["last_share"] == pytest.approx(0.2)
    bent = fit_of([2.0, 1.96, 1.955, 1.952, 1.951, 1.95], [2.0, 1.96, 1.955, 1.952, 1.951, 1.95])
    assert judged(bent).kind is VerdictKind.HEALTHY


def test_a_loss_that_comes_down_from_a_height_is_not_under_trained():
    high = fit_of([2.0, 5.0, 3.8, 3.7, 2.8, 2.4], [2.0, 5.0, 3.6, 3.8, 2.9, 2.3])
    assert [verdict.kind for verdict in FitVerdicts().judge(high)] == [VerdictKind.NO_LEARNING]
    assert judged(high).override == "training.learning_rate=0.0001"


def test_who_stopped_before_the_fall_could_show_is_under_trained_and_not_without_learning():
    short = fit_of([2.129, 2.103, 2.1, 2.099, 2.092, 2.081], [2.1, 2.06, 2.055, 2.06, 2.044, 2.009], noise=1.5)
    assert [verdict.kind for verdict in FitVerdicts().judge(short)] == [VerdictKind.UNDER_TRAINED]


def test_next_to_nothing_is_not_learnt_by_heart():
    assert judged(fit_of([0.7, 0.1, 0.02, 0.0200], [0.7, 0.08, 0.004, 0.003])).kind is VerdictKind.HEALTHY


def test_a_train_loss_that_hardly_fell_is_under_capacity():
    weak = fit_of([2.0, 1.9, 1.87, 1.868], [2.0, 1.9, 1.88, 1.878], best_loss=1.6)
    assert judged(weak).kind is VerdictKind.UNDER_CAPACITY
    assert judged(replace(weak, best_loss=1.86)).kind is VerdictKind.HEALTHY, "no other setting did better"


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


@pytest.mark.parametrize("kind", [OutcomeKind.PRUNED])
def test_a_trial_cut_short_is_neither_under_trained_nor_without_learning(kind):
    falling = fit_of([2.0, 1.8, 1.6, 1.4], [2.0, 1.79, 1.59, 1.39], kind=kind)
    flat = fit_of([2.0, 2.0, 2.0], [2.0, 2.0, 2.0], kind=kind)
    assert {judged(falling).label, judged(flat).label} == {f"healthy (until {kind})"}
    assert judged(fit_of([2.0, 1.2, 1.0, 1.2], [2.0, 1.1, 0.9, 0.7], kind=kind)).kind is VerdictKind.OVERFIT


@pytest.mark.parametrize("kind", [OutcomeKind.FAILED, OutcomeKind.INFEASIBLE])
def test_nothing_is_said_of_the_fit_of_a_trial_that_broke(kind):
    assert FitVerdicts().judge(fit_of([2.0, 1.2, 1.0, 1.2], [2.0, 1.1, 0.9, 0.7], kind=kind)) == []


def test_of_a_trial_that_measures_once_only_a_baseline_that_beats_it_is_told():
    once = Measurement(5, 1.0, 0, 0, 0.0, 0.0, {"validation/accuracy": 0.5})
    fit = TrialFit(
        [once],
        Objective("accuracy", direction="maximize", metrics=Classification.metrics),
        num_rows=400,
        outcome=Outcome(OutcomeKind.COMPLETE),
    )
    assert FitVerdicts().judge(fit) == []
    assert FitVerdicts().judge(replace(fit, baseline={"accuracy": 0.52})) == [], "within a standard error"
    (verdict,) = FitVerdicts().judge(replace(fit, baseline={"accuracy": 0.6}))
    assert (verdict.kind, verdict.override) == (VerdictKind.WORSE_THAN_BASELINE, "")


@pytest.mark.parametrize("name", ["overfit", "z", "small_gap"])
def test_thresholds_that_mean_nothing_are_refused(name):
    with pytest.raises(ConfigError, match=name):
        FitVerdicts(**{name: 0})


@pytest.mark.parametrize(
    ("name", "low", "high", "fit"),
    [
        ("overfit", 2.0, 50.0, fit_of([2.0, 1.2, 1.0, 1.1], [2.0, 1.1, 0.9, 0.8])),
        ("memorising", 0.5, 0.8, fit_of([2.0, 1.2, 1.0, 0.99], [2.0, 0.9, 0.5, 0.3])),
        ("under_trained_slope", 0.01, 0.1, fit_of([2.0, 1.5, 1.3, 1.2, 1.1, 1.05], [2.0, 1.5, 1.3, 1.2, 1.1, 1.05])),
        (
            "under_trained_share",
            0.15,
            0.3,
            fit_of([2.0, 1.99, 1.98, 1.97, 1.96, 1.95], [2.0, 1.99, 1.98, 1.97, 1.96, 1.95]),
        ),
        ("far_above_best", 1.3, 3.0, fit_of([2.0, 1.2, 1.1, 1.1], [2.0, 1.2, 1.09, 1.09], best_loss=0.5)),
    ],
)
def test_a_threshold_moves_its_verdict(name, low, high, fit):
    assert FitVerdicts(**{name: low}).judge(fit)[0].kind is not VerdictKind.HEALTHY
    assert FitVerdicts(**{name: high}).judge(fit)[0].kind is VerdictKind.HEALTHY


def test_min_progress_z_and_small_gap_move_their_verdicts():
    slight = fit_of([2.0, 1.9, 1.89, 1.888], [2.0, 1.7, 1.69, 1.688])
    assert judged(slight).kind is VerdictKind.HEALTHY
    assert FitVerdicts(min_progress=0.1).judge(slight)[0].kind is VerdictKind.NO_LEARNING
    assert FitVerdicts(z=1e5).judge(slight)[0].kind is VerdictKind.NO_LEARNING
    falling = fit_of([2.0, 1.8, 1.6, 1.4, 1.2, 1.0], [2.0, 1.79, 1.59, 1.39, 1.19, 0.99])
    assert FitVerdicts(small_gap=0.001).judge(falling)[0].kind is VerdictKind.HEALTHY


def test_an_unknown_mode_is_refused():
    with pytest.raises(ConfigError, match="judge or off"):
        FitVerdicts(mode="on")


def test_paired_z_is_that_of_a_paired_t_statistic():
    from scipy.stats import ttest_rel

    generator = np.random.default_rng(1)
    left, right = generator.normal(1.1, 1, 50), generator.normal(1.0, 1, 50)
    assert paired_z(left, right) == pytest.approx(ttest_rel(left, right).statistic)
    assert paired_z(left, left) == 0.0
    assert paired_z(left[:3], right) is None


def test_rows_of_one_group_weigh_no_more_in_a_paired_z_than_one_row():
    generator = np.random.default_rng(1)
    left, right = generator.normal(1.3, 1, 50), generator.normal(1.0, 1, 50)
    copies = np.tile(np.arange(50), 4)
    alone = paired_z(left, right)
    assert paired_z(left[copies], right[copies], copies) == pytest.approx(alone)
    assert paired_z(left[copies], right[copies]) > 1.9 * alone
    again, halves = np.tile(left, 2), np.repeat([0, 1], len(left))  # two groups that differ in nothing
    assert paired_z(again, np.tile(right, 2), halves) == pytest.approx(paired_z(again, np.tile(right, 2)))
    assert paired_z(left, right, np.zeros(50)) == alone


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
