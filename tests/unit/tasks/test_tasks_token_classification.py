from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score

from ftsweep.errors import ConfigError, DataError
from ftsweep.tasks.base import IGNORED, RowError
from ftsweep.tasks.encoding.tagged import MISSED
from ftsweep.tasks.scores.entity_tally import EntityTally
from ftsweep.tasks.token_classification import TokenClassification
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama

TASK = TokenClassification()
LABELS = ["O", "B-loc", "I-loc", "B-per", "I-per"]
SCHEMA = {"labels": LABELS, "counts": [5, 1, 1, 1, 1]}


def row(words, tags):
    return {"tokens": words.split(), "tags": tags.split()}


def encode(values, *, task=TASK, tokenizer=None):
    (result,) = task.encode([values], tokenizer or byte_tokenizer(), SCHEMA)
    return result


def scored(example):
    return [label for label in example.labels if label >= 0]


def test_labels_are_complete_and_in_a_stable_order():
    rows = [row("a b c", "B-per O I-per"), row("d e", "B-loc O"), {"tokens": ["x"], "tags": ["?"]}]
    assert TASK.learn_schema(rows) == {"labels": LABELS, "counts": [2, 1, 0, 1, 1]}


def test_train_without_entities_is_nothing_to_learn():
    with pytest.raises(DataError, match="needs entities in train, and found none"):
        TASK.learn_schema([row("a b", "O O")])


def test_parts_of_speech_are_said_to_need_a_mark():
    with pytest.raises(DataError, match=r"2 rows cannot be used.*'NOUN' is no BIO tag.*write B- before each: B-NOUN"):
        TASK.learn_schema([row("a b", "NOUN VERB")] * 2)


def test_numbers_whose_names_nobody_knows_are_refused():
    with pytest.raises(DataError, match="'tags' holds numbers, and nothing says their names: write tags such as O, B-"):
        TASK.learn_schema([{"tokens": ["a", "b"], "tags": [0, 3]}] * 2)


def test_an_entity_type_that_train_lacks_is_named_with_its_neighbours():
    refused = encode(row("a b", "B-pre O"))
    assert isinstance(refused, RowError)
    assert str(refused) == "entity type 'pre' does not occur in train. Did you mean 'per'?"


def test_only_the_first_letters_of_words_are_scored():
    example = encode(row("Ada of York", "B-per O B-loc"))
    assert len(example.labels) == len("Ada of York")
    assert scored(example) == [3, 0, 1]
    letters = byte_tokenizer().convert_ids_to_tokens(example.input_ids)
    assert [letter for letter, label in zip(letters, example.labels, strict=True) if label >= 0] == ["A", "o", "Y"]
    assert TASK.row_units(torch.tensor([example.labels])).tolist() == [3]


def test_a_broken_sequence_is_told_and_learned_as_the_scorer_reads_it():
    values = row("a b c d", "I-per I-per I-loc O")
    assert TASK.row_problem(values).startswith("tag 1, I-per, comes after O and continues nothing")
    assert TASK.row_problem(row("a b", "B-per I-per")) is None
    assert TASK.row_problem({"tokens": ["a"], "tags": [1]}) is None, "that is refused, not told"
    assert scored(encode(values)) == [LABELS.index(tag) for tag in ("B-per", "I-per", "B-loc", "O")]


def test_entities_behind_the_cut_count_as_missed():
    values = row("aa bb cc dd ee", "B-per O B-loc I-loc B-per")
    whole = encode(values)
    assert not whole.was_cut
    cut = encode(values, task=TokenClassification(max_length=8))  # "aa bb cc": the second entity is halved
    assert (cut.was_cut, cut.was_target_cut) == (True, True)
    assert scored(cut) == [3, 0]
    assert [label for label in cut.labels if label < IGNORED] == [MISSED - 2]
    assert TASK.row_units(torch.tensor([cut.labels])).tolist() == [2]
    without_entities = encode(row("aa bb cc dd", "B-per O O O"), task=TokenClassification(max_length=8))
    assert (without_entities.was_cut, without_entities.was_target_cut) == (True, False)
    tally = EntityTally(["loc", "per"])
    labels = torch.tensor([cut.labels])
    tally.add(torch.tensor([1.0]), labels.clamp(min=0), {"labels": labels})
    assert tally.values() == {
        "loss": 0.5,
        "precision": 1.0,
        "recall": pytest.approx(1 / 3),
        "f1": 0.5,
        "token_accuracy": 1.0,
    }
    assert tally.details()["report"]["missed"] == {"support": 2}


def test_a_cut_row_of_single_tokens_keeps_one_for_the_number_of_missed_entities():
    tokenizer = byte_tokenizer()
    tokenizer.backend_tokenizer.pre_tokenizer = None  # no space between words: every one is a single token
    cut = encode(row("a b c d e f", "B-per O O O O B-loc"), task=TokenClassification(max_length=4), tokenizer=tokenizer)
    assert cut.labels == [3, 0, 0, MISSED - 1]


def test_a_word_without_a_token_does_not_shift_the_others():
    tokenizer = byte_tokenizer()
    values = {"tokens": ["Ada", "", "Lovelace", "", "x"], "tags": ["B-per", "I-per", "I-per", "B-loc", "O"]}
    example = encode(values, tokenizer=tokenizer)
    assert scored(example) == [3, 4, 0]
    assert MISSED - 1 in example.labels, "an entity without a single token cannot be found"
    begins = encode({"tokens": ["", "Ada", "x"], "tags": ["B-per", "I-per", "O"]}, tokenizer=tokenizer)
    assert scored(begins) == [3, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9), min_size=1, max_size=7),
    st.integers(1, 4),
)
def test_scores_equal_those_of_seqeval_whatever_the_batches(rows, batch_size):
    tally = TASK.tally(SCHEMA)
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        longest = 2 * max(map(len, part))
        labels, outputs = torch.full((len(part), longest), IGNORED), torch.full((len(part), longest), 3)
        for place, pairs in enumerate(part):  # every second token only fills
            labels[place, 1 : 2 * len(pairs) : 2] = torch.tensor([true for true, _ in pairs])
            outputs[place, 1 : 2 * len(pairs) : 2] = torch.tensor([guess for _, guess in pairs])
        tally.add(torch.tensor([float(len(pairs)) for pairs in part]), outputs, {"labels": labels})
    true, guesses = ([[LABELS[pair[side]] for pair in pairs] for pairs in rows] for side in (0, 1))
    assert tally.values() == {
        "loss": pytest.approx(1.0),
        "f1": pytest.approx(f1_score(true, guesses, zero_division=0)),
        "precision": pytest.approx(precision_score(true, guesses, zero_division=0)),
        "recall": pytest.approx(recall_score(true, guesses, zero_division=0)),
        "token_accuracy": pytest.approx(accuracy_score(true, guesses)),
    }
    assert tally.details()["report"]["micro avg"]["f1-score"] == tally.values()["f1"]


def test_nothing_tallied_has_no_score():
    tally = TASK.tally(SCHEMA)
    assert all(math.isnan(value) for value in tally.values().values())
    assert tally.details() == {}


def test_adding_does_not_wait_for_the_device(refuse_waiting):
    tally = TASK.tally(SCHEMA)
    labels = torch.tensor([[1, 2, IGNORED], [0, IGNORED, IGNORED]])
    with refuse_waiting:
        tally.add(torch.ones(2), torch.ones_like(labels), {"labels": labels})
    assert tally.values()["recall"] == 0.0


def test_the_loss_is_that_of_the_scored_words_of_each_row():
    model, examples = random_bert("token_classification", num_labels=5), []
    for words, tags in (("Ada of York", "B-per O B-loc"), ("x", "O")):
        examples.append(encode(row(words, tags)))
    width = len(examples[0].input_ids)
    ids, mask, labels = torch.zeros(2, width).long(), torch.zeros(2, width).long(), torch.full((2, width), IGNORED)
    for place, example in enumerate(examples):
        ids[place, : len(example.input_ids)] = torch.tensor(example.input_ids)
        mask[place, : len(example.input_ids)] = 1
        labels[place, : len(example.labels)] = torch.tensor(example.labels)
    labels[0, -1] = MISSED - 1
    losses, outputs = TASK.losses(model, {"input_ids": ids, "attention_mask": mask, "labels": labels})
    logits = model(input_ids=ids, attention_mask=mask).logits
    by_hand = [
        -sum(logits[place, at].log_softmax(-1)[label] for at, label in enumerate(labels[place]) if label >= 0)
        for place in (0, 1)
    ]
    torch.testing.assert_close(losses, torch.stack(by_hand))
    assert torch.equal(outputs, logits.argmax(-1))


def test_the_prior_calls_everything_o():
    scores = TASK.prior_scores(SCHEMA, [[0, 0, IGNORED, 3], [MISSED - 2, 2]])
    shares = np.array([6, 2, 2, 2, 2]) / 14
    assert scores["loss"] == pytest.approx(-np.log(shares[[0, 0, 3, 2]]).mean())
    assert scores["token_accuracy"] == 0.5
    assert (scores["f1"], scores["precision"], scores["recall"]) == (0.0, 0.0, 0.0)


class Constant(torch.nn.Module):
    """Says for every byte of a text what its letter stands for: A to E are the labels, anything else is O."""

    def __init__(self, tokenizer):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.table = torch.full((300,), 0)
        for label, letter in enumerate("ABCDE"):
            self.table[tokenizer.convert_tokens_to_ids(letter)] = label

    def forward(self, input_ids, attention_mask):
        likely = torch.tensor(3.0).exp()  # against four others of weight 1
        logits = torch.nn.functional.one_hot(self.table[input_ids], 5) * likely.log()
        return type("Output", (), {"logits": logits + self.weight})


PROBABILITY = math.exp(3) / (math.exp(3) + 4)


def predict(*rows, task=TASK):
    tokenizer = byte_tokenizer()
    return task.predict(Constant(tokenizer), tokenizer, SCHEMA, rows, batch_size=2)


def test_answers_name_entities_by_their_words():
    (answer,) = predict({"tokens": ["Dr", "Ee", "x", "Bonn", "Dora"]})
    assert answer["tags"] == ["B-per", "I-per", "O", "B-loc", "B-per"]
    assert answer["entities"] == [
        {"type": "per", "start": 0, "end": 2, "text": "Dr Ee", "probability": pytest.approx(PROBABILITY**2)},
        {"type": "loc", "start": 3, "end": 4, "text": "Bonn", "probability": pytest.approx(PROBABILITY)},
        {"type": "per", "start": 4, "end": 5, "text": "Dora", "probability": pytest.approx(PROBABILITY)},
    ]


def test_a_text_is_split_on_white_space_wherever_it_stands():
    expected = predict({"tokens": ["Dr", "x"]})
    expected = [{"tokens": ["Dr", "x"], **expected[0]}]
    assert predict({"text": " Dr\n x"}) == predict({"tokens": "Dr x"}) == expected


def test_tags_of_answers_are_valid_and_words_without_a_token_belong_to_their_entity():
    (answer,) = predict({"tokens": ["Ee", "", "Ed", "", "x"]})
    assert answer["tags"] == ["B-per", "I-per", "I-per", "O", "O"]
    assert [entity["text"] for entity in answer["entities"]] == ["Ee  Ed"]


def test_every_word_of_a_long_row_is_answered_as_in_a_short_one():
    words = ["Dr", "Ee", "x", "Bonn", "Ca", "x"] * 20
    (short,) = predict({"tokens": words}, task=TokenClassification(max_length=10))
    (whole,) = predict({"tokens": words}, task=TokenClassification(max_length=512))
    assert short["tags"] == whole["tags"] == ["B-per", "I-per", "O", "B-loc", "I-loc", "O"] * 20
    assert len(short["entities"]) == 40


def test_a_question_without_words_is_named_by_its_row():
    with pytest.raises(DataError, match=r"^row 2: 'text' is empty"):
        predict({"text": "a"}, {"text": " "})
    with pytest.raises(DataError, match=r"^row 1: word 2 of 'tokens' is 3, not text"):
        predict({"tokens": ["a", 3]})


def test_the_question_of_a_row_is_its_words():
    assert TASK.without_target({"tokens": ["a"], "tags": ["O"], "text": "a", "x": 1}) == {"tokens": ["a"]}
    assert TASK.without_target({"tokens": None, "text": "a"}) == {"text": "a"}


@pytest.mark.parametrize("max_length", [1, True, "16"])
def test_a_max_length_without_meaning_is_refused(max_length):
    with pytest.raises(ConfigError, match=r"task\.max_length"):
        TokenClassification(max_length=max_length)


def test_a_max_length_that_the_model_cannot_take_is_refused():
    with pytest.raises(ConfigError, match=r"task\.max_length=100 or less"):
        encode(row("a", "O"), tokenizer=byte_tokenizer(model_max_length=100))


def test_a_decoder_learns_tags():
    model = random_llama("token_classification", num_labels=5)
    example = encode(row("Ada of York", "B-per O B-loc"))
    batch = {"input_ids": torch.tensor([example.input_ids]), "labels": torch.tensor([example.labels])}
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    before = TASK.losses(model, batch)[0].item()
    for _ in range(20):
        TASK.losses(model, batch)[0].sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert TASK.losses(model, batch)[0].item() < before / 10


def test_a_text_is_split_as_the_words_of_train_are():
    apart = [row("a b , c .", "O B-x O O O")] * 2
    joined = [row("a b, c.", "O B-x O")] * 2
    assert TASK.learn_schema(apart)["parts_signs"] is True
    assert "parts_signs" not in TASK.learn_schema(joined)
    text = {"text": "Dr. x-Ee"}
    answers = [
        TASK.predict(Constant(tokenizer), tokenizer, SCHEMA | more, [text], batch_size=2)[0]
        for tokenizer in [byte_tokenizer()]
        for more in ({}, {"parts_signs": True})
    ]
    assert [answer["tokens"] for answer in answers] == [["Dr.", "x-Ee"], ["Dr", ".", "x", "-", "Ee"]]
    assert [len(answer["tags"]) for answer in answers] == [2, 5]


def test_an_entity_of_a_text_has_its_characters():
    tokenizer = byte_tokenizer()
    schema = SCHEMA | {"parts_signs": True}
    (answer,) = TASK.predict(Constant(tokenizer), tokenizer, schema, [{"text": "Ee (Dr\n Ee), Ee"}], batch_size=2)
    assert answer["tokens"] == ["Ee", "(", "Dr", "Ee", ")", ",", "Ee"]
    assert [entity["text"] for entity in answer["entities"]] == ["Ee", "Dr\n Ee", "Ee"]
