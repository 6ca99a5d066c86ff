from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from ftsweep.errors import DataError
from ftsweep.tasks.base import IGNORED
from ftsweep.tasks.regression import Regression
from ftsweep.testing.random_models import byte_tokenizer, random_bert

TASK = Regression()
SCHEMA = {"labels": ["value"], "mean": 100.0, "sd": 20.0}


def rows(*labels):
    return [{"text": f"text {index}", "label": label} for index, label in enumerate(labels)]


def test_the_schema_is_trains_mean_and_deviation():
    schema = TASK.learn_schema(rows(1, "3", 5.0, None, "x", float("nan"), True))
    assert schema == {"labels": ["value"], "mean": 3.0, "sd": pytest.approx(math.sqrt(8 / 3))}


def test_labels_are_encoded_as_deviations_from_trains_mean():
    examples = list(TASK.encode(rows(100, 140, "90"), byte_tokenizer(), SCHEMA))
    assert [example.labels for example in examples] == [[0.0], [2.0], [-0.5]]


def test_large_numbers_keep_their_differences():
    """Kept as float32 they would all be one."""
    train = rows(*(1e12 + step for step in range(5)))
    examples = list(TASK.encode(train, byte_tokenizer(), TASK.learn_schema(train)))
    assert np.diff([np.float32(example.labels[0]) for example in examples]) == pytest.approx(math.sqrt(0.5), rel=1e-3)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((), "train has 0"),
        ((0.1, 0.1, 0.1), "train has 3, all 0.1"),
        (("many", "few"), "train has 0.*2 rows cannot be used, most often: 'label' is 'many', not a finite number"),
    ],
)
def test_labels_that_do_not_differ_are_refused(labels, message):
    with pytest.raises(DataError, match=message):
        TASK.learn_schema(rows(*labels))


# -- scores -----------------------------------------------------------------------------------------------------------


def tallied(predictions, labels, *, batch_size=3):
    tally = TASK.tally(SCHEMA)
    for start in range(0, len(labels), batch_size):
        part = slice(start, start + batch_size)
        predicted, real = torch.tensor(predictions[part]), torch.tensor(labels[part])
        tally.add((predicted - real) ** 2, predicted, {"labels": real})
    return tally


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 30), st.booleans(), st.integers(0, 1000))
def test_scores_equal_those_of_sklearn_and_scipy(num_rows, has_ties, seed):
    random = np.random.default_rng(seed)
    labels = random.normal(size=num_rows)
    predictions = labels + random.normal(size=num_rows)
    if has_ties:
        labels, predictions = labels.round(), predictions.round()
    values = tallied(predictions.tolist(), labels.tolist()).values()
    real, predicted = 20 * labels + 100, 20 * predictions + 100
    assert values["loss"] == pytest.approx(mean_squared_error(labels, predictions), rel=1e-5)
    assert values["rmse"] == pytest.approx(math.sqrt(mean_squared_error(real, predicted)), rel=1e-5)
    assert values["mae"] == pytest.approx(mean_absolute_error(real, predicted), rel=1e-5, abs=1e-5)
    assert values["r2"] == pytest.approx(r2_score(real, predicted), rel=1e-4, abs=1e-5)
    if np.ptp(labels) and np.ptp(predictions):
        assert values["pearson"] == pytest.approx(pearsonr(real, predicted)[0], abs=1e-5)
        assert values["spearman"] == pytest.approx(spearmanr(real, predicted)[0], abs=1e-9)


def test_what_is_constant_correlates_with_nothing():
    values = tallied([0.5, 0.5, 0.5], [1.0, 2.0, 3.0]).values()
    assert (values["pearson"], values["spearman"]) == (0.0, 0.0)
    assert tallied([1.0, 2.0], [1.0, 1.0]).values()["r2"] == 0.0
    assert tallied([1.0, 1.0], [1.0, 1.0]).values()["r2"] == 1.0


def test_a_prediction_that_is_no_number_has_no_score():
    assert all(math.isnan(value) for value in tallied([1.0, math.inf], [1.0, 2.0]).values().values())
    assert all(math.isnan(value) for value in TASK.tally(SCHEMA).values().values())


def test_the_prior_names_trains_mean_every_time():
    labels = [[-1.0], [0.5], [2.0]]
    scores = TASK.prior_scores(SCHEMA, labels)
    real = [80.0, 110.0, 140.0]
    assert scores["loss"] == pytest.approx(5.25 / 3)
    assert scores["rmse"] == pytest.approx(math.sqrt(mean_squared_error(real, [100.0] * 3)))
    assert scores["mae"] == pytest.approx(mean_absolute_error(real, [100.0] * 3))
    assert scores["r2"] == pytest.approx(r2_score(real, [100.0] * 3))
    assert (scores["pearson"], scores["spearman"]) == (0.0, 0.0)


def test_each_rows_loss_is_its_squared_error_and_fillers_have_none():
    batch = {"input_ids": torch.arange(12).view(2, 6) + 5, "attention_mask": torch.ones(2, 6, dtype=torch.long)}
    batch["labels"] = torch.tensor([0.5, float(IGNORED)])
    with torch.no_grad():
        losses, predictions = TASK.losses(random_bert(num_labels=1), batch)
    assert losses.tolist() == pytest.approx([(predictions[0].item() - 0.5) ** 2, 0.0])
    assert TASK.row_units(batch["labels"]).tolist() == [1, 0]
    tally = TASK.tally(SCHEMA)
    tally.add(losses, predictions, batch)
    assert tally.values()["loss"] == pytest.approx(losses[0].item())


def test_only_values_waits_for_the_device(refuse_waiting):
    tally = TASK.tally(SCHEMA)
    with refuse_waiting:
        tally.add(torch.ones(2), torch.zeros(2), {"labels": torch.tensor([1.0, -1.0])})
    assert tally.values()["loss"] == 1.0


def test_answers_are_in_the_labels_own_unit():
    model, tokenizer = random_bert(num_labels=1), byte_tokenizer()
    questions = [{"text": "x" * length} for length in (3, 40, 17)]
    answers = TASK.predict(model, tokenizer, SCHEMA, questions, batch_size=2)
    for question, answer in zip(questions, answers, strict=True):
        output = model(**tokenizer(question["text"], return_tensors="pt")).logits.item()
        assert answer == {"value": pytest.approx(20 * output + 100, rel=1e-4)}
