from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, log_loss
from tokenizers.processors import TemplateProcessing

from ftsweep.errors import ConfigError, DataError
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.classification import Classification
from ftsweep.testing.random_models import byte_tokenizer, random_llama

TASK = Classification()


def rows(*labels):
    return [{"text": f"text {index}", "label": label} for index, label in enumerate(labels)]


def tokenizer_with_ends(**settings):
    tokenizer = byte_tokenizer(**settings)
    ends = [("<bos>", 1), ("<eos>", 2)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<bos> $A <eos>", special_tokens=ends)
    return tokenizer


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("b", "a", "b"), {"labels": ["a", "b"], "counts": [1, 2]}),
        ((10, 9, 10, 100), {"labels": ["9", "10", "100"], "counts": [1, 2, 1]}),
        (("10", "9", "-1"), {"labels": ["-1", "9", "10"], "counts": [1, 1, 1]}),
        ((1, "1", 1.0, " 1 ", 0), {"labels": ["0", "1"], "counts": [1, 4]}),
        ((True, False, True), {"labels": ["false", "true"], "counts": [1, 2]}),
        (("10", "9", "x"), {"labels": ["10", "9", "x"], "counts": [1, 1, 1]}),
        (("nan", "inf", "1"), {"labels": ["1", "inf", "nan"], "counts": [1, 1, 1]}),
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


def test_a_cut_keeps_the_special_tokens_and_is_told():
    schema = TASK.learn_schema(rows("a", "b"))
    texts = [{"text": "x" * 6, "label": "a"}, {"text": "y" * 7, "label": "b"}]
    whole, cut = Classification(max_length=8).encode(texts, tokenizer_with_ends(), schema)
    assert not whole.was_cut
    assert len(whole.input_ids) == 8
    letter = tokenizer_with_ends()("y")["input_ids"][1]
    assert cut == Example([1, *[letter] * 6, 2], [1], was_cut=True)


@pytest.mark.parametrize("max_length", [1, 0, -3, True, 16.0, "16"])
def test_a_max_length_without_meaning_is_refused(max_length):
    with pytest.raises(ConfigError, match=r"task\.max_length"):
        Classification(max_length=max_length)


def test_a_max_length_that_the_model_cannot_take_is_refused():
    schema = TASK.learn_schema(rows("a", "b"))
    with pytest.raises(ConfigError, match=r"task\.max_length=100 or less"):
        list(TASK.encode(rows("a"), byte_tokenizer(model_max_length=100), schema))
    with pytest.raises(ConfigError, match="2 special tokens"):
        list(Classification(max_length=2).encode(rows("a"), tokenizer_with_ends(), schema))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5).flatmap(lambda n: st.tuples(st.just(n), pairs(n))))
def test_scores_equal_those_of_sklearn(case):
    num_labels, drawn = case
    labels, predictions = [pair[0] for pair in drawn], [pair[1] for pair in drawn]
    tally = TASK.tally({"labels": [str(index) for index in range(num_labels)]})
    for start in range(0, len(drawn), 3):
        part = slice(start, start + 3)
        loss = torch.tensor(float(len(labels[part])))
        tally.add(loss, torch.tensor(predictions[part]), {"labels": torch.tensor(labels[part])})
    values = tally.values()
    expected = f1_score(labels, predictions, labels=range(num_labels), average="macro", zero_division=0)
    assert values["macro_f1"] == pytest.approx(expected, abs=1e-12)
    assert values["accuracy"] == pytest.approx(accuracy_score(labels, predictions))
    assert values["loss"] == pytest.approx(1.0)


def pairs(num_labels):
    label = st.integers(0, num_labels - 1)
    return st.lists(st.tuples(label, label), min_size=1, max_size=20)


def test_the_prior_is_what_sklearn_says_of_constant_guesses():
    schema = {"labels": ["a", "b", "c"], "counts": [2, 5, 3]}
    labels = [0, 1, 1, 2, 1, 0]
    scores = TASK.prior_scores(schema, [[label] for label in labels])
    assert scores["loss"] == pytest.approx(log_loss(labels, [[0.2, 0.5, 0.3]] * 6, labels=[0, 1, 2]))
    assert scores["accuracy"] == pytest.approx(0.5)
    assert scores["macro_f1"] == pytest.approx(
        f1_score(labels, [1] * 6, labels=[0, 1, 2], average="macro", zero_division=0)
    )


def test_rows_that_only_fill_a_batch_do_not_count():
    model, batch = random_llama("sequence_classification"), {"attention_mask": torch.ones(2, 4, dtype=torch.long)}
    batch |= {"input_ids": torch.full((2, 4), 5), "labels": torch.tensor([1, IGNORED])}
    alone = {name: tensor[:1] for name, tensor in batch.items()}
    assert TASK.losses(model, batch)[0].tolist() == pytest.approx([TASK.losses(model, alone)[0].item(), 0.0])
    assert TASK.row_units(batch["labels"]).tolist() == [1, 0]
    tally = TASK.tally({"labels": ["a", "b", "c"]})
    tally.add(torch.tensor([2.0, 0.0]), torch.tensor([1, 0]), batch)
    assert tally.values() == {"loss": 2.0, "accuracy": 1.0, "macro_f1": pytest.approx(1 / 3)}


def test_nothing_tallied_has_no_score():
    assert all(math.isnan(value) for value in TASK.tally({"labels": ["a", "b"]}).values().values())


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


def test_only_values_waits_for_the_device(refuse_waiting):
    tally = TASK.tally({"labels": ["a", "b"]})
    with refuse_waiting:
        for _ in range(2):
            tally.add(torch.tensor(2.0), torch.tensor([1, 0]), {"labels": torch.tensor([1, 1])})
    assert tally.values()["accuracy"] == 0.5
