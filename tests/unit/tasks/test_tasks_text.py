from __future__ import annotations

import pytest
import torch

from ftsweep.errors import ConfigError, DataError, ModelError
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.text import Text
from ftsweep.testing.random_models import byte_tokenizer, random_llama


def documents(*lengths):
    return [{"text": chr(ord("a") + index) * length} for index, length in enumerate(lengths)]


def test_blocks_hold_every_document_once_in_order_joined_with_the_end_token():
    tokenizer, rows = byte_tokenizer(), documents(5, 23, 2, 9)
    results = list(Text(max_length=8).encode(rows, tokenizer, {}))
    blocks = [result for result in results if isinstance(result, Example)]
    tokens = [token for block in blocks for token in block.input_ids]
    assert tokenizer.decode(tokens) == "".join(row["text"] + "<eos>" for row in rows)
    assert [len(block.input_ids) for block in blocks] == [8, 8, 8, 8, 8, 3]
    assert all(block.labels == [IGNORED, *block.input_ids[1:]] for block in blocks)
    assert results[0] is None, "the first document fills no block"
    assert len(results) >= len(rows)


def test_a_refused_row_stands_in_its_place():
    rows = [*documents(20), {"text": ""}, *documents(20)]
    results = list(Text(max_length=8).encode(rows, byte_tokenizer(), {}))
    assert [index for index, result in enumerate(results) if isinstance(result, RowError)] == [1]


def test_a_last_block_of_one_token_has_nothing_to_learn():
    blocks = [block for block in Text(max_length=8).encode(documents(8), byte_tokenizer(), {}) if block]
    assert [len(block.input_ids) for block in blocks] == [8]


def test_a_tokenizer_without_an_end_token_cannot_pack():
    tokenizer = byte_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="end-of-text"):
        list(Text().encode(documents(3), tokenizer, {}))


def test_a_block_longer_than_the_model_is_refused():
    with pytest.raises(ConfigError, match=r"task\.max_length"):
        list(Text(max_length=513).encode(documents(3), byte_tokenizer(), {}))


def test_a_rows_loss_is_that_of_transformers_on_its_blocks():
    model, tokenizer, rows = random_llama(), byte_tokenizer(), documents(5, 20, 1)
    answers = Text(max_length=8).predict(model, tokenizer, {}, rows, batch_size=2)
    for row, answer in zip(rows, answers, strict=True):
        ids, total, count = [*tokenizer(row["text"])["input_ids"], 2], 0.0, 0
        for start in range(0, len(ids), 8):
            block = torch.tensor([ids[start : start + 8]])
            if block.shape[1] > 1:
                total += model(input_ids=block, labels=block).loss.item() * (block.shape[1] - 1)
                count += block.shape[1] - 1
        assert answer["loss"] == pytest.approx(total / count, rel=1e-5)
        assert answer["perplexity"] == pytest.approx(torch.tensor(total / count).exp().item(), rel=1e-4)


def test_a_question_without_text_is_named_by_its_row():
    with pytest.raises(DataError, match=r"^row 1: 'text' is missing"):
        Text().predict(random_llama(), byte_tokenizer(), {}, [{}], 1)
