"""Metrics of resampled rows are those of the rows, and intervals cover what they should."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from seqeval.metrics import f1_score as entity_f1
from sklearn.metrics import accuracy_score, f1_score

from ftsweep.domain.metric import Metric, Metrics
from ftsweep.errors import ConfigError, DataError
from ftsweep.evaluation.evaluate import as_numbers
from ftsweep.evaluation.intervals import check_told, compared, scored_prior
from ftsweep.evaluation.resampling import intervals, paired_difference
from ftsweep.store.row_scores import RowEvidence
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.text import Text
from ftsweep.tasks.token_classification import TokenClassification

GENERATOR = np.random.default_rng(0)
ONCE = np.ones((1, 200), np.float32)
NO_CLUSTERS = np.empty(0, np.int32)
PRIOR = {"labels": ["a", "b"], "counts": [3, 1]}


def classified(share_right: float) -> tuple[RowEvidence, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 200)
    guesses = np.where(generator.random(200) < share_right, labels, generator.integers(0, 3, 200))
    return evidence_of(labels, guesses), labels, guesses


def evidence_of(labels: np.ndarray, guesses: np.ndarray) -> RowEvidence:
    outputs = torch.nn.functional.one_hot(torch.from_numpy(guesses), 3).float() * 5
    scores = Classification().row_scores(outputs, {"labels": torch.from_numpy(labels)}, {})
    assert scores is not None
    losses = np.where(labels == guesses, 0.1, 2.0).astype(np.float32)
    return RowEvidence(losses, np.ones(200, np.int32), scores.float().numpy())


def test_weights_of_one_give_the_metrics_of_the_split() -> None:
    evidence, labels, guesses = classified(0.6)
    scores = Classification().resampled_scores(evidence.losses, evidence.units, evidence.scores, ONCE)
    assert scores["accuracy"] == pytest.approx(accuracy_score(labels, guesses))
    assert scores["macro_f1"] == pytest.approx(f1_score(labels, guesses, average="macro"))
    assert scores["loss"] == pytest.approx(evidence.losses.mean())


def test_entities_of_resampled_rows_are_scored_as_seqeval_does() -> None:
    names = ["O", "B-A", "I-A", "B-B", "I-B"]
    labels, guesses = GENERATOR.integers(0, 5, (200, 9)), GENERATOR.integers(0, 5, (200, 9))
    guesses = np.where(GENERATOR.random((200, 9)) < 0.7, labels, guesses)
    task = TokenClassification()
    scores = task.row_scores(torch.from_numpy(guesses), {"labels": torch.from_numpy(labels)}, {})
    assert scores is not None
    found = task.resampled_scores(np.ones(200), np.full(200, 9), scores.numpy(), ONCE)
    spelled = [[[names[tag] for tag in row] for row in rows.tolist()] for rows in (labels, guesses)]
    assert found["f1"] == pytest.approx(entity_f1(*spelled))
    assert found["token_accuracy"] == pytest.approx((labels == guesses).mean())


def test_an_interval_of_accuracy_is_that_of_a_share() -> None:
    evidence, labels, guesses = classified(0.6)
    share = float((labels == guesses).mean())
    interval = intervals(Classification(), evidence)["accuracy"]
    assert interval.standard_error == pytest.approx(np.sqrt(share * (1 - share) / 200), rel=0.1)
    assert interval.low < share < interval.high


def test_pairs_tell_apart_what_intervals_do_not() -> None:
    good, labels, guesses = classified(0.60)
    worse = guesses.copy()
    worse[np.flatnonzero(guesses == labels)[:8]] += 1  # eight rows fewer, all others alike
    difference = paired_difference(Classification(), [good], [evidence_of(labels, worse % 3)], "accuracy")
    assert difference is not None
    assert difference.middle == pytest.approx(0.04, abs=0.005)
    assert difference.middle > 2 * difference.standard_error
    assert difference.standard_error < 0.5 * intervals(Classification(), good)["accuracy"].standard_error


def test_a_model_is_no_better_than_itself_and_other_rows_are_no_pairs() -> None:
    evidence, _, _ = classified(0.6)
    same = paired_difference(Classification(), [evidence, evidence], [evidence], "macro_f1")
    assert same is not None
    assert (same.middle, same.standard_error) == (0.0, 0.0)
    short = RowEvidence(evidence.losses[:50], evidence.units[:50], evidence.scores[:50])
    assert paired_difference(Classification(), [evidence], [short], "accuracy") is None
    assert paired_difference(Classification(), [evidence], [evidence], "rouge") is None


def test_a_task_without_row_scores_has_its_loss_and_perplexity() -> None:
    evidence = RowEvidence(np.full(10, 4.0, np.float32), np.full(10, 2, np.int32), np.empty((10, 0), np.float32))
    found = intervals(Text(), evidence)
    assert found["loss"].middle == pytest.approx(2.0)
    assert found["perplexity"].low == pytest.approx(np.exp(2.0))
    assert intervals(Text(), RowEvidence(evidence.losses[:1], evidence.units[:1], evidence.scores[:1])) == {}


def test_the_prior_has_intervals_too() -> None:
    answer = scored_prior(Classification(), PRIOR, [[0], [0], [1], [0]] * 25, NO_CLUSTERS)
    assert answer is not None
    assert answer["test"]["accuracy"] == 0.75
    assert answer["intervals"]["accuracy"]["low"] < 0.75 < answer["intervals"]["accuracy"]["high"]


def test_rows_of_one_group_are_as_sure_as_a_single_row_would_be() -> None:
    evidence, labels, _ = classified(0.6)
    copies = np.tile(np.arange(200), 5)
    repeated = RowEvidence(
        evidence.losses[copies], evidence.units[copies], evidence.scores[copies], copies.astype(np.int32)
    )
    assert repeated.num_clusters == 200
    together, alone = intervals(Classification(), repeated), intervals(Classification(), evidence)
    for name in ("loss", "accuracy", "macro_f1"):
        assert together[name].standard_error == pytest.approx(alone[name].standard_error, rel=1e-3)
    apart = intervals(Classification(), replace(repeated, clusters=NO_CLUSTERS))
    assert apart["accuracy"].standard_error < 0.5 * alone["accuracy"].standard_error
    right = evidence_of(labels, labels)
    assert intervals(Classification(), replace(right, clusters=np.arange(200) // 10))["accuracy"].low == pytest.approx(
        0.025 ** (1 / 20)
    )
    once, five = ([[int(label)] for label in np.tile(labels % 2, times)] for times in (1, 5))
    priors = [
        scored_prior(Classification(), PRIOR, once, NO_CLUSTERS),
        scored_prior(Classification(), PRIOR, five, copies),
    ]
    first, second = (each["intervals"]["accuracy"]["standard_error"] for each in priors if each is not None)
    assert first == pytest.approx(second)


def test_a_part_keeps_what_belongs_together_and_one_group_alone_is_measured_by_its_rows() -> None:
    evidence, _, _ = classified(0.6)
    grouped = replace(evidence, clusters=np.arange(200, dtype=np.int32) // 2)
    part = grouped.part(np.arange(200) < 10)
    assert (len(part.losses), part.num_clusters) == (10, 5)
    assert grouped.part(np.arange(200) % 2 == 0).num_clusters == 100
    single = replace(evidence, clusters=np.zeros(200, np.int32))
    assert intervals(Classification(), single)["loss"] == intervals(Classification(), evidence)["loss"]
    right = evidence_of(*[np.arange(200) % 2] * 2)
    assert intervals(Classification(), replace(right, clusters=single.clusters)) == intervals(Classification(), right)


def test_few_groups_that_score_alike_are_no_certainty() -> None:
    labels = np.tile([0, 1], 100)
    evidence = evidence_of(np.tile([0, 1, 0, 0], 50), labels)  # three of four are right, in each half as well
    rows = intervals(Classification(), evidence)["accuracy"]
    halves = replace(evidence, clusters=np.repeat(np.array([0, 1], np.int32), 100))
    assert intervals(Classification(), halves)["accuracy"].standard_error == pytest.approx(rows.standard_error, rel=0.1)
    prior = scored_prior(Classification(), PRIOR, [[int(label)] for label in labels], halves.clusters)
    assert prior is not None
    assert prior["intervals"]["accuracy"]["standard_error"] > 0.02


def test_runs_that_left_no_losses_are_not_compared(tmp_path) -> None:
    job = {"left": [[str(tmp_path), 1]], "right": [[str(tmp_path), 2]], "metric": "loss"}
    assert compared(Classification(), job) == {}


def test_answers_that_are_all_right_are_not_sure_to_be_so_of_other_rows() -> None:
    labels = np.arange(200) % 3
    found = intervals(Classification(), evidence_of(labels, labels))
    for name in ("accuracy", "macro_f1"):
        assert (found[name].low, found[name].high) == (pytest.approx(0.025 ** (1 / 200)), 1.0)
    wrong = intervals(Classification(), evidence_of(labels, (labels + 1) % 3))["accuracy"]
    assert (wrong.low, wrong.high) == (0, pytest.approx(1 - 0.025 ** (1 / 200)))


@pytest.mark.parametrize("value", [np.float32(0.5), torch.tensor(0.5), 0.5])
def test_scores_of_a_task_of_ones_own_are_floats_whatever_library_they_come_from(value: object) -> None:
    (score,) = as_numbers(Classification(), {"mine": value}).values()
    assert (type(score), score) == (float, 0.5)


@pytest.mark.parametrize("value", [None, "0.5", [0.5], torch.tensor([0.5, 0.5])], ids=repr)
def test_score_that_is_no_number_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(ConfigError, match=r"Classification scores mine as .* which is no number"):
        as_numbers(Classification(), {"mine": value})


@pytest.mark.parametrize(("value", "told"), [(1.01, "above the 1 "), (-0.5, "below the 0 ")])
def test_score_beyond_the_bounds_of_its_metric_is_refused(value: float, told: str) -> None:
    with pytest.raises(ConfigError, match=rf"Classification scores accuracy as {value:g}, {told}"):
        as_numbers(Classification(), {"accuracy": value})
    assert as_numbers(Classification(), {"accuracy": 1 + 1e-9, "loss": np.nan, "mine": 7}) is not None


def test_objective_that_a_task_of_ones_own_does_not_score_the_base_by_names_what_to_write() -> None:
    class Mine(Classification):
        metrics: ClassVar[Metrics] = {"mine": Metric("maximize", 0, 1), **Classification.metrics}

    check_told(Mine(), "accuracy", {"accuracy": 0.5})
    with pytest.raises(ConfigError, match=r"`Mine.prior_scores` does not give mine,.* has loss, accuracy") as refused:
        check_told(Mine(), "mine", {"loss": 1.0, "accuracy": 0.5})
    assert "rouge_l" not in str(refused.value)
    with pytest.raises(DataError, match=r"judged tells nothing: no row .* Its judge gave no number"):
        check_told(Mine(), "judged", {"loss": 1.0})
