from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, classification_report, f1_score

from ftsweep.errors import ConfigError, DataError
from ftsweep.tasks.base import IGNORED, RowError
from ftsweep.tasks.multi_label import MultiLabel
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama

TASK = MultiLabel()
SCHEMA = {"labels": ["a", "b", "c"], "counts": [6, 3, 1], "num_rows": 8}


def rows(*labels):
    return [{"text": f"text {index}", "labels": each} for index, each in enumerate(labels)]


def test_the_schema_counts_each_label_once_a_row():
    schema = TASK.learn_schema(rows(["b", "a", "b"], [], ["a"], [10, True]))
    assert schema == {"labels": ["10", "a", "b", "true"], "counts": [1, 2, 1, 1], "num_rows": 4}


def test_rows_without_any_label_are_examples_of_nothing_being_right():
    (example,) = TASK.encode(rows([]), byte_tokenizer(), SCHEMA)
    assert example.labels == [0, 0, 0]
    assert TASK.target_text({"labels": []}), "an answer, and not a missing one"
    assert TASK.target_text({"labels": ["b", "a"]}) == TASK.target_text({"labels": ["a", "b", "b"]})


def test_labels_become_a_vector_in_the_order_of_the_schema():
    (example,) = TASK.encode(rows(["c", "a"]), byte_tokenizer(), SCHEMA)
    assert example.labels == [1, 0, 1]


def test_a_label_that_train_lacks_is_named_with_its_neighbours():
    (refused,) = TASK.encode(rows(["angre"]), byte_tokenizer(), {**SCHEMA, "labels": ["anger", "b", "c"]})
    assert isinstance(refused, RowError)
    assert "'angre'" in str(refused)
    assert "'anger'" in str(refused)


def test_labels_in_one_text_are_refused_with_what_to_write_instead():
    (refused,) = TASK.encode(rows("a; b"), byte_tokenizer(), SCHEMA)
    assert "'a; b', not a list" in str(refused)
    assert '"labels": ["a", "b"]' in str(refused)
    with pytest.raises(DataError, match=r"found none in 0 rows.*2 rows cannot be used, most often: 'labels' is 'a'"):
        TASK.learn_schema(rows("a", "a"))


def test_train_needs_a_label():
    with pytest.raises(DataError, match="found none in 2 rows"):
        TASK.learn_schema(rows([], []))


@pytest.mark.parametrize("threshold", [0, 1, -0.5, 1.5, True, "0.5", math.nan])
def test_a_threshold_without_meaning_is_refused(threshold):
    with pytest.raises(ConfigError, match=r"task\.threshold"):
        MultiLabel(threshold=threshold)


# -- scores -----------------------------------------------------------------------------------------------------------


def drawn(num_rows, num_labels, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(num_rows, num_labels, generator=generator)
    return logits, torch.randint(2, (num_rows, num_labels), generator=generator)


def tallied(logits, labels, *, threshold=0.5, batch_size=3):
    tally = MultiLabel(threshold=threshold).tally({"labels": [f"label {index}" for index in range(logits.shape[1])]})
    for start in range(0, len(labels), batch_size):
        part = slice(start, start + batch_size)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            logits[part], labels[part].float(), reduction="none"
        )
        tally.add(losses.mean(dim=-1), logits[part], {"labels": labels[part]})
    return tally


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 20), st.sampled_from([0.2, 0.5, 0.9]), st.integers(0, 1000))
def test_scores_equal_those_of_sklearn(num_labels, num_rows, threshold, seed):
    logits, labels = drawn(num_rows, num_labels, seed)
    values = tallied(logits, labels, threshold=threshold).values()
    given = (logits.sigmoid() >= threshold).long()
    hits = int((given & labels).sum())
    assert values["micro_f1"] == pytest.approx(2 * hits / max(1, int(given.sum() + labels.sum())))
    if num_labels > 1:  # of one column sklearn makes another problem
        for average in ("micro", "macro"):
            expected = f1_score(labels, given, average=average, zero_division=0)
            assert values[f"{average}_f1"] == pytest.approx(expected, abs=1e-12)
    assert values["subset_accuracy"] == pytest.approx(accuracy_score(labels, given))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits.double(), labels.double())
    assert values["loss"] == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)  # of single precision


def test_details_are_the_report_of_sklearn():
    logits, labels = drawn(50, 4, 0)
    labels[:, 3] = 0  # never right
    details = tallied(logits, labels).details()
    given = (logits.sigmoid() >= 0.5).long()
    expected = classification_report(labels, given, output_dict=True, zero_division=0)
    assert set(details["report"]) == {
        *(f"label {index}" for index in range(4)),
        "macro avg",
        "weighted avg",
        "micro avg",
    }
    for name, entry in details["report"].items():
        assert entry == pytest.approx(expected[name.removeprefix("label ")])
    assert sum(each["count"] for each in details["reliability"]) == labels.numel()
    assert "confusion" not in details, "labels do not exclude each other"


def test_the_loss_of_a_row_is_the_mean_over_its_labels():
    model = random_bert()
    batch = {"input_ids": torch.arange(12).view(2, 6) + 5, "attention_mask": torch.ones(2, 6, dtype=torch.long)}
    batch["labels"] = torch.tensor([[1, 0, 1], [IGNORED] * 3])
    with torch.no_grad():
        losses, logits = TASK.losses(model, batch)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[0], batch["labels"][0].float())
    torch.testing.assert_close(losses, torch.stack([expected, torch.tensor(0.0)]))
    assert TASK.row_units(batch["labels"]).tolist() == [1, 0]
    tally = TASK.tally(SCHEMA)
    tally.add(losses, logits, batch)
    assert tally.values()["loss"] == pytest.approx(expected.item())
    assert sum(each["count"] for each in tally.details()["reliability"]) == 3


def test_the_prior_gives_every_row_the_shares_of_train():
    labels = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]])
    shares = torch.tensor([0.7, 0.4, 0.2], dtype=torch.float64)  # (6 + 1) / (8 + 2), ...
    scores = TASK.prior_scores(SCHEMA, labels.tolist())
    expected = torch.nn.functional.binary_cross_entropy(shares.expand(4, 3), labels.double())
    assert scores["loss"] == pytest.approx(expected.item())
    given = torch.tensor([[1, 0, 0]] * 4)
    assert scores["micro_f1"] == pytest.approx(f1_score(labels, given, average="micro", zero_division=0))
    assert scores["macro_f1"] == pytest.approx(f1_score(labels, given, average="macro", zero_division=0))
    assert scores["subset_accuracy"] == 0.5


def test_a_label_of_all_train_rows_leaves_room_for_a_row_without_it():
    scores = TASK.prior_scores({"labels": ["a"], "counts": [5], "num_rows": 5}, [[0]])
    assert scores["loss"] == pytest.approx(-math.log(1 / 7))


def test_nothing_tallied_has_no_score():
    assert all(math.isnan(value) for value in TASK.tally(SCHEMA).values().values())


def test_only_values_waits_for_the_device(refuse_waiting):
    tally = TASK.tally(SCHEMA)
    with refuse_waiting:
        tally.add(torch.ones(2), torch.zeros(2, 3), {"labels": torch.tensor([[1, 0, 0], [0, 1, 1]])})
    assert tally.values()["loss"] == 1.0


def test_answers_are_all_labels_above_the_threshold():
    model, tokenizer = random_llama("sequence_classification"), byte_tokenizer()
    questions = [{"text": "x" * length} for length in (3, 40, 1, 17)]
    for threshold in (0.1, 0.5, 0.9):
        answers = MultiLabel(threshold=threshold).predict(model, tokenizer, SCHEMA, questions, batch_size=2)
        for question, answer in zip(questions, answers, strict=True):
            expected = model(**tokenizer(question["text"], return_tensors="pt")).logits[0].sigmoid().tolist()
            assert list(answer["scores"].values()) == pytest.approx(expected, rel=1e-4)
            assert answer["labels"] == [label for label in "abc" if answer["scores"][label] >= threshold]
