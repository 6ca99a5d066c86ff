from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix, f1_score, log_loss

from ftsweep.errors import ConfigError, DataError
from ftsweep.tasks.base import IGNORED, RowError
from ftsweep.tasks.classification import Classification
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama

TASK = Classification()


def rows(*labels):
    return [{"text": f"text {index}", "label": label} for index, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("b", "a", "b"), {"labels": ["a", "b"], "counts": [1, 2]}),
        ((10, 9, 10, 100), {"labels": ["9", "10", "100"], "counts": [1, 2, 1]}),
        (("10", "9", "-1"), {"labels": ["-1", "9", "10"], "counts": [1, 1, 1]}),
        ((1, "1", 1.0, " 1 ", 0), {"labels": ["0", "1"], "counts": [1, 4]}),
        ((True, False, True), {"labels": ["false", "true"], "counts": [1, 2]}),
        (("10", "9", "x"), {"labels": ["10", "9", "x"], "counts": [1, 1, 1]}),
        (("nan", "inf", "1"), {"labels": ["1", "inf"], "counts": [1, 1]}),  # "nan" is how pandas writes a gap
        (("a", "b", None, "", float("nan"), 0.5), {"labels": ["a", "b"], "counts": [1, 1]}),
    ],
)
def test_labels_are_text_in_a_stable_order(labels, expected):
    assert TASK.learn_schema(rows(*labels)) == expected


def test_rows_without_text_teach_no_label():
    assert TASK.learn_schema([*rows("a", "b"), {"text": " ", "label": "c"}])["labels"] == ["a", "b"]


@pytest.mark.parametrize("labels", [(), ("a", "a"), (None, "a")])
def test_one_label_is_nothing_to_classify(labels):
    with pytest.raises(DataError, match="at least 2"):
        TASK.learn_schema(rows(*labels))


def test_labels_of_the_wrong_kind_are_said_to_be_why_there_are_none():
    with pytest.raises(DataError, match=r"found 0. 2 rows cannot be used, most often: 'label' is \['a'\]"):
        TASK.learn_schema(rows(["a"], ["b"]))


def test_a_label_that_train_lacks_is_named_with_its_neighbours():
    schema = TASK.learn_schema(rows("anger", "joy"))
    (refused,) = TASK.encode(rows("angre"), byte_tokenizer(), schema)
    assert isinstance(refused, RowError)
    assert "'angre'" in str(refused)
    assert "'anger'" in str(refused)


# -- scores -----------------------------------------------------------------------------------------------------------


def tallied(logits, labels, *, batch_size=3, names=None):
    """A tally of these logits and labels, added batch by batch."""
    tally = TASK.tally({"labels": names or [f"label {index}" for index in range(logits.shape[1])]})
    for start in range(0, len(labels), batch_size):
        part = slice(start, start + batch_size)
        losses = torch.nn.functional.cross_entropy(logits[part], labels[part], reduction="none")
        tally.add(losses, logits[part], {"labels": labels[part]})
    return tally


def drawn(num_rows, num_labels, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(num_rows, num_labels, generator=generator)
    return logits, torch.randint(num_labels, (num_rows,), generator=generator)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(1, 20), st.integers(0, 1000))
def test_scores_equal_those_of_sklearn(num_labels, num_rows, seed):
    logits, labels = drawn(num_rows, num_labels, seed=seed)
    values = tallied(logits, labels).values()
    predictions = logits.argmax(dim=-1)
    expected = f1_score(labels, predictions, labels=range(num_labels), average="macro", zero_division=0)
    assert values["macro_f1"] == pytest.approx(expected, abs=1e-12)
    assert values["accuracy"] == pytest.approx(accuracy_score(labels, predictions))
    expected = log_loss(labels, logits.double().softmax(dim=-1), labels=range(num_labels))
    assert values["loss"] == pytest.approx(expected, rel=1e-5, abs=1e-6)  # of float32


def calibration_error(probabilities, labels, *, num_bins=15):
    """Guo et al. (2017), equation 5, word for word."""
    confidences, predictions = probabilities.max(axis=1), probabilities.argmax(axis=1)
    error = 0.0
    for low in np.arange(num_bins) / num_bins:
        inside = (confidences > low) & (confidences <= low + 1 / num_bins)
        if inside.any():
            accuracy = (predictions[inside] == labels[inside]).mean()
            error += inside.mean() * abs(accuracy - confidences[inside].mean())
    return error


@pytest.mark.parametrize(("num_rows", "num_labels"), [(1, 2), (40, 2), (500, 4), (500, 20)])
def test_calibration_error_is_that_of_guo_et_al(num_rows, num_labels):
    logits, labels = drawn(num_rows, num_labels)
    expected = calibration_error(logits.double().softmax(dim=-1).numpy(), labels.numpy())
    assert tallied(logits, labels, batch_size=64).values()["calibration_error"] == pytest.approx(expected, abs=1e-6)


def test_a_model_that_is_right_as_often_as_it_says_has_no_calibration_error():
    logits = torch.tensor([[math.log(3.0), 0.0]] * 4)  # says 3/4
    assert tallied(logits, torch.tensor([0, 0, 0, 1])).values()["calibration_error"] == pytest.approx(0, abs=1e-7)
    assert tallied(logits, torch.tensor([1, 1, 1, 1])).values()["calibration_error"] == pytest.approx(0.75)


def test_details_are_the_report_and_the_matrix_of_sklearn():
    names = ["anger", "accuracy", "joy", "rare"]
    logits, labels = drawn(60, 4)
    labels[labels == 3] = 0  # never true
    details = tallied(logits, labels, names=names).details()
    predictions = logits.argmax(dim=-1)
    assert details["labels"] == names
    assert details["confusion"] == confusion_matrix(labels, predictions, labels=range(4)).tolist()
    expected = classification_report(labels, predictions, labels=range(4), output_dict=True, zero_division=0)
    assert list(details["report"]) == [*names, "macro avg", "weighted avg"]
    for name, entry in details["report"].items():
        assert entry == pytest.approx(expected[str(names.index(name)) if name in names else name])
    assert sum(each["count"] for each in details["reliability"]) == 60


def test_reliability_bins_say_what_was_promised_and_what_came_true():
    logits = torch.tensor([[math.log(3.0), 0.0], [math.log(3.0), 0.0], [9.0, 0.0]])
    low, high = tallied(logits, torch.tensor([0, 1, 0])).details()["reliability"]
    assert (low["count"], low["came_true"], low["probability"]) == (2, 0.5, pytest.approx(0.75))
    assert low["low"] < 0.75 <= low["high"]
    assert (high["count"], high["came_true"], high["high"]) == (1, 1.0, 1.0)


def test_the_prior_is_what_sklearn_says_of_constant_guesses():
    schema = {"labels": ["a", "b", "c"], "counts": [2, 5, 3]}
    labels = [0, 1, 1, 2, 1, 0]
    scores = TASK.prior_scores(schema, [[label] for label in labels])
    assert scores["loss"] == pytest.approx(log_loss(labels, [[0.2, 0.5, 0.3]] * 6, labels=[0, 1, 2]))
    assert scores["accuracy"] == pytest.approx(0.5)
    assert scores["calibration_error"] == pytest.approx(0.0)
    assert scores["macro_f1"] == pytest.approx(
        f1_score(labels, [1] * 6, labels=[0, 1, 2], average="macro", zero_division=0)
    )
    assert TASK.prior_scores(schema, [[0], [0]])["calibration_error"] == pytest.approx(0.5)


def test_rows_that_only_fill_a_batch_do_not_count():
    model, batch = random_llama("sequence_classification"), {"attention_mask": torch.ones(2, 4, dtype=torch.long)}
    batch |= {"input_ids": torch.full((2, 4), 5), "labels": torch.tensor([1, IGNORED])}
    alone = {name: tensor[:1] for name, tensor in batch.items()}
    assert TASK.losses(model, batch)[0].tolist() == pytest.approx([TASK.losses(model, alone)[0].item(), 0.0])
    assert TASK.row_units(batch["labels"]).tolist() == [1, 0]
    tally = TASK.tally({"labels": ["a", "b", "c"]})
    tally.add(torch.tensor([2.0, 0.0]), torch.tensor([[0.0, 90.0, 0.0], [90.0, 0.0, 0.0]]), batch)
    assert tally.values() == {
        "loss": 2.0, "accuracy": 1.0, "macro_f1": pytest.approx(1 / 3), "calibration_error": 0.0
    }  # fmt: skip


def test_nothing_tallied_has_no_score():
    assert all(math.isnan(value) for value in TASK.tally({"labels": ["a", "b"]}).values().values())


def test_only_values_waits_for_the_device(refuse_waiting):
    logits, labels = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([1, 1])
    tally, task = TASK.tally({"labels": ["a", "b"]}), Classification(class_weights="balanced", label_smoothing=0.1)
    batch = {"input_ids": torch.ones(2, 4, dtype=torch.long), "attention_mask": torch.ones(2, 4), "labels": labels}
    with refuse_waiting:
        for _ in range(2):
            tally.add(torch.tensor([1.0, 1.0]), logits, batch)
            task.training_losses(FixedModel(logits), batch, {"labels": ["a", "b"], "counts": [1, 2]})
    assert tally.values()["accuracy"] == 0.5


class FixedModel:
    """A model that always answers the same: of real ones some wait for the device themselves."""

    def __init__(self, logits):
        self.logits = logits

    def __call__(self, **inputs):
        return self


# -- weights and smoothing --------------------------------------------------------------------------------------------

SCHEMA = {"labels": ["anger", "joy", "7"], "counts": [6, 3, 1]}
BATCH = {
    "input_ids": torch.arange(24).view(4, 6) + 5,
    "attention_mask": torch.ones(4, 6, dtype=torch.long),
    "labels": torch.tensor([0, 1, 2, 1]),
}


def training_losses(**settings):
    with torch.no_grad():
        return Classification(**settings).training_losses(random_bert(), BATCH, SCHEMA)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("none", [1.0, 1.0, 1.0]),
        ("balanced", [10 / 18, 10 / 9, 10 / 3]),
        ({"joy": 3}, [10 / 16, 30 / 16, 10 / 16]),
        ({7: 5.0, "anger": 0.5}, [0.5 / 1.1, 1 / 1.1, 5 / 1.1]),
    ],
)
def test_weights_have_a_mean_of_one_over_train(given, expected):
    weights = Classification(class_weights=given).weights(SCHEMA)
    assert weights == pytest.approx(expected)
    assert sum(w * count for w, count in zip(weights, SCHEMA["counts"], strict=True)) == pytest.approx(10)


def test_training_multiplies_each_rows_loss_with_its_labels_weight():
    plain, weighted = training_losses(), training_losses(class_weights="balanced")
    expected = torch.tensor([10 / 18, 10 / 9, 10 / 3, 10 / 9])
    torch.testing.assert_close(weighted, plain * expected)


def test_smoothing_spreads_its_share_over_all_labels():
    with torch.no_grad():
        _, logits = TASK.losses(random_bert(), BATCH)
    targets = torch.nn.functional.one_hot(BATCH["labels"], 3) * 0.7 + 0.3 / 3
    expected = -(targets * logits.log_softmax(dim=-1)).sum(dim=-1)
    torch.testing.assert_close(training_losses(label_smoothing=0.3), expected)
    both = training_losses(label_smoothing=0.3, class_weights={"joy": 3})
    torch.testing.assert_close(both, expected * torch.tensor([10 / 16, 30 / 16, 10 / 16, 30 / 16]))


def test_what_is_measured_knows_nothing_of_weights_and_smoothing():
    task, model = Classification(class_weights="balanced", label_smoothing=0.5), random_bert()
    with torch.no_grad():
        assert torch.equal(task.losses(model, BATCH)[0], TASK.losses(model, BATCH)[0])
        assert torch.equal(TASK.training_losses(model, BATCH, SCHEMA), TASK.losses(model, BATCH)[0])


def test_a_task_that_meets_another_schema_weighs_anew():
    task = Classification(class_weights="balanced")
    with torch.no_grad():
        first = task.training_losses(random_bert(), BATCH, SCHEMA)
        second = task.training_losses(random_bert(), BATCH, {**SCHEMA, "counts": [1, 1, 1]})
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("weights", ["balancd", {}, {"a": 0}, {"a": -1.0}, {"a": math.inf}, {"a": True}, ["a"], 2])
def test_weights_without_meaning_are_refused(weights):
    with pytest.raises(ConfigError, match=r"task\.class_weights.*none, balanced, or a number"):
        Classification(class_weights=weights)


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, math.nan, True, "0.1"])
def test_smoothing_without_meaning_is_refused(share):
    with pytest.raises(ConfigError, match=r"task\.label_smoothing"):
        Classification(label_smoothing=share)


def test_a_weight_for_a_label_that_train_lacks_is_refused_with_its_neighbours():
    with pytest.raises(ConfigError, match=r"no label 'angr' .*'anger'"):
        Classification(class_weights={"joy": 2, "angr": 2}).check_schema(SCHEMA)
    Classification(class_weights={"joy": 2, 7: 2}).check_schema(SCHEMA)
    Classification(class_weights="balanced").check_schema(SCHEMA)


# -- answers ----------------------------------------------------------------------------------------------------------


def test_predictions_keep_the_order_of_rows_and_sum_to_one():
    model, tokenizer = random_llama("sequence_classification"), byte_tokenizer()
    schema = {"labels": ["a", "b", "c"], "counts": [1, 1, 1]}
    questions = [{"text": "x" * length} for length in (3, 40, 1, 17)]
    answers = TASK.predict(model, tokenizer, schema, questions, batch_size=2)
    for question, answer in zip(questions, answers, strict=True):
        logits = model(**tokenizer(question["text"], return_tensors="pt")).logits[0]
        assert list(answer["scores"].values()) == pytest.approx(logits.softmax(-1).tolist(), rel=1e-4)
        assert sum(answer["scores"].values()) == pytest.approx(1)
        assert answer["probability"] == max(answer["scores"].values()) == answer["scores"][answer["label"]]


def test_a_question_without_text_is_named_by_its_row():
    with pytest.raises(DataError, match=r"^row 2: 'text' is empty"):
        TASK.predict(None, byte_tokenizer(), {"labels": ["a", "b"]}, [{"text": "a"}, {"text": ""}], 2)
