"""One text or two, and how they become tokens."""

from __future__ import annotations

import pytest
from tokenizers.processors import TemplateProcessing

from ftsweep.errors import ConfigError, DataError
from ftsweep.tasks.base import Example
from ftsweep.tasks.classification import Classification
from ftsweep.testing.random_models import byte_tokenizer, random_llama

TASK = Classification()
SCHEMA = {"labels": ["a", "b"], "counts": [1, 1]}
PAIRS = {**SCHEMA, "has_pairs": True}


def bert_tokenizer(**settings):
    """`<bos> a <eos>`, and `<bos> a <eos> b <eos>` of a pair: BERT's template."""
    tokenizer = byte_tokenizer(sep_token="<eos>", **settings)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A <eos>",
        pair="<bos> $A <eos> $B:1 <eos>:1",
        special_tokens=[("<bos>", 1), ("<eos>", 2)],
    )
    return tokenizer


def letters(text):
    return byte_tokenizer()(text)["input_ids"]


def pair(text, text_pair, label="a"):
    return {"text": text, "text_pair": text_pair, "label": label}


def encoded(rows, tokenizer, schema, **settings):
    return list(Classification(**settings).encode(rows, tokenizer, schema))


# -- one text ---------------------------------------------------------------------------------------------------------


def test_a_cut_keeps_the_special_tokens_and_is_told():
    texts = [{"text": "x" * 6, "label": "a"}, {"text": "y" * 7, "label": "b"}]
    whole, cut = encoded(texts, bert_tokenizer(), SCHEMA, max_length=8)
    assert not whole.was_cut
    assert len(whole.input_ids) == 8
    assert cut == Example([1, *letters("yyyyyy"), 2], [1], was_cut=True)


@pytest.mark.parametrize("max_length", [1, 0, -3, True, 16.0, "16"])
def test_a_max_length_without_meaning_is_refused(max_length):
    with pytest.raises(ConfigError, match=r"task\.max_length"):
        Classification(max_length=max_length)


def test_a_max_length_that_the_model_cannot_take_is_refused():
    row = [{"text": "x", "label": "a"}]
    with pytest.raises(ConfigError, match=r"task\.max_length=100 or less"):
        encoded(row, byte_tokenizer(model_max_length=100), SCHEMA)
    with pytest.raises(ConfigError, match="2 special tokens"):
        encoded(row, bert_tokenizer(), SCHEMA, max_length=2)
    with pytest.raises(ConfigError, match="3 special tokens"):
        encoded([pair("x", "y")], bert_tokenizer(), PAIRS, max_length=4)


# -- pairs ------------------------------------------------------------------------------------------------------------


def test_a_pair_is_put_together_as_the_tokenizer_does_it():
    (example,) = encoded([pair("one", "two")], bert_tokenizer(), PAIRS)
    assert example == Example([1, *letters("one"), 2, *letters("two"), 2], [0])


def test_a_line_end_parts_a_pair_where_the_tokenizer_puts_nothing():
    (example,) = encoded([pair("one", "two")], byte_tokenizer(), PAIRS)
    assert example == Example(letters("one\ntwo"), [0])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(("x" * 9, "yy"), ("xxxx", "yy")), (("xx", "y" * 9), ("xx", "yyyy")), (("x" * 9, "y" * 9), ("xxx", "yyy"))],
)
def test_a_cut_takes_from_the_longer_text_first(texts, expected):
    (example,) = encoded([pair(*texts)], bert_tokenizer(), PAIRS, max_length=9)
    assert example == Example([1, *letters(expected[0]), 2, *letters(expected[1]), 2], [0], was_cut=True)


def test_a_cut_pair_keeps_the_line_end_between_its_texts():
    (example,) = encoded([pair("x" * 9, "y" * 9)], byte_tokenizer(), PAIRS, max_length=8)
    assert example == Example(letters("xxxx\nyyy"), [0], was_cut=True)


def test_rows_have_pairs_all_or_none():
    rows = [pair("one", "two", "a"), pair("three", "four", "b")]
    schema = TASK.learn_schema([*rows, {"text": "alone", "label": "c"}])
    assert schema == PAIRS, "a row without its pair teaches nothing"
    assert TASK.learn_schema([{"text": row["text"], "text_pair": "", "label": row["label"]} for row in rows]) == SCHEMA
    (refused,) = encoded([{"text": "one", "label": "a"}], byte_tokenizer(), PAIRS)
    assert str(refused) == "'text_pair' is missing"
    (refused,) = encoded([pair("one", "two")], byte_tokenizer(), SCHEMA)
    assert "rows of train have none" in str(refused)
    with pytest.raises(DataError, match="row 1: 'text_pair' is missing"):
        TASK.predict(random_llama(), byte_tokenizer(), PAIRS, [{"text": "one"}], 2)


def test_the_other_text_is_a_part_of_the_input_and_of_the_question():
    row = pair("one", "two")
    assert TASK.input_text(row) != TASK.input_text(pair("one", "three"))
    assert TASK.input_text({"text": "one", "label": "a"}) == "one"
    assert TASK.without_target({**row, "other": 1}) == {"text": "one", "text_pair": "two"}
    assert TASK.without_target({"text": "one", "text_pair": None, "label": "a"}) == {"text": "one"}
