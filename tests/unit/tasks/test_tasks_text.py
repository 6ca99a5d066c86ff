from __future__ import annotations

import pytest
import torch

from ftsweep.errors import ConfigError, DataError, ModelError
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.text import Text
from ftsweep.testing.random_models import byte_tokenizer, random_llama


def documents(*lengths):
    return [{"text": chr(ord("a") + index) * length} for index, length in enumerate(lengths)]


def blocks_of(task: Text, rows) -> list[Example]:
    return [result for result in task.encode(rows, byte_tokenizer(), {}) if isinstance(result, Example)]


def test_blocks_hold_every_document_whole_with_its_end():
    rows = documents(5, 3, 2, 6, 1)
    results = list(Text(max_length=8).encode(rows, byte_tokenizer(), {}))
    blocks = [result for result in results if isinstance(result, Example)]
    texts = [text for block in blocks for text in byte_tokenizer().decode(block.input_ids).split("<eos>")[:-1]]
    assert sorted(texts) == sorted(row["text"] for row in rows)
    assert len(blocks) == 3, "22 tokens need three blocks of 8"
    assert len(results) == len(rows)


def test_the_first_token_of_every_document_is_not_learned():
    for block in blocks_of(Text(max_length=8), documents(5, 3, 2, 6, 1)):
        starts = [0, *(place + 1 for place, token in enumerate(block.input_ids[:-1]) if token == 2)]
        expected = [IGNORED if place in starts else token for place, token in enumerate(block.input_ids)]
        assert block.labels == expected


def test_unpacked_every_document_is_an_example():
    assert [len(block.input_ids) for block in blocks_of(Text(max_length=8, packed=False), documents(5, 3, 10))] == [
        6,
        4,
        8,
        3,
    ]


def test_a_document_begins_as_the_tokenizer_begins_a_text():
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    blocks = [block for block in Text(max_length=8).encode(documents(3, 9), tokenizer, {}) if block]
    pieces = [piece for block in blocks for piece in tokenizer.decode(block.input_ids).split("<bos>")[1:]]
    assert sorted(pieces) == ["aaa<eos>", "bb<eos>", "bbbbbbb"]


def test_a_refused_row_stands_in_its_place():
    rows = [*documents(20), {"text": ""}, *documents(20)]
    results = list(Text(max_length=8).encode(rows, byte_tokenizer(), {}))
    assert [index for index, result in enumerate(results) if isinstance(result, RowError)] == [1]


def test_a_last_piece_of_one_token_has_nothing_to_learn():
    assert [len(block.input_ids) for block in blocks_of(Text(max_length=8), documents(8))] == [8]


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
