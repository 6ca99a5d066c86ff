"""Bits per byte: what a text costs over its length, whatever its tokens."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from ftsweep.models.tokenizer import splitting_fingerprint
from ftsweep.tasks.base import Example, Task
from ftsweep.tasks.causal import CausalTally
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.masked_text import MaskedText
from ftsweep.tasks.text import Text
from ftsweep.testing.random_models import byte_tokenizer

TEXTS = ["aaaaaaaa", "\N{EURO SIGN}" * 4, "ab" * 9]


def pair_tokenizer(*, begins: bool = False) -> PreTrainedTokenizerFast:
    """Bytes as tokens, and `aa` and `ab` as one each."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<pad>", "<bos>", "<eos>", *alphabet, "aa", "ab"]
    merges = [("a", "a"), ("a", "b")]
    backend = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    if begins:
        backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", model_max_length=512
    )


def examples_of(task: Task, rows, tokenizer) -> list[Example]:
    return [each for each in task.encode(rows, tokenizer, {}) if isinstance(each, Example)]


def rows_of(texts):
    return [{"text": text} for text in texts]


@pytest.mark.parametrize("packed", [True, False])
def test_a_text_has_the_bytes_of_what_is_learned_of_it(packed):
    task = Text(max_length=64, packed=packed)
    whole = sum(len(text.encode()) for text in TEXTS)
    found = examples_of(task, rows_of(TEXTS), pair_tokenizer(begins=True))
    assert sum(each.num_bytes for each in found) == whole
    found = examples_of(task, rows_of(TEXTS), byte_tokenizer())
    assert sum(each.num_bytes for each in found) == whole - len(TEXTS), "the first of each is not learned"


def test_a_text_in_pieces_loses_what_no_piece_learns():
    (first, second) = examples_of(Text(max_length=8, packed=False), rows_of(["a" * 12]), byte_tokenizer())
    assert (first.num_bytes, second.num_bytes) == (7, 3)


def test_answers_have_their_own_bytes_whatever_ends_them():
    rows = [{"prompt": "aa", "completion": text} for text in TEXTS]
    for tokenizer in (byte_tokenizer(), pair_tokenizer()):
        found = examples_of(Instruction(max_length=64), rows, tokenizer)
        assert [each.num_bytes for each in found] == [len(text.encode()) for text in TEXTS]
    (cut,) = examples_of(Instruction(max_length=6), [{"prompt": "b", "completion": "cdefghij"}], byte_tokenizer())
    assert cut.was_target_cut
    assert 0 < cut.num_bytes < 8


def test_what_is_hidden_of_a_text_has_no_bytes():
    assert not MaskedText.counts_bytes


def test_a_model_that_knows_nothing_of_pairs_costs_the_same_in_other_tokens():
    """Each byte costs ln 2: tokens of two bytes twice of that."""
    rows = rows_of(["a" * 40])
    costs = {}
    for name, tokenizer, nats in (("bytes", byte_tokenizer(), 1), ("pairs", pair_tokenizer(begins=True), 2)):
        (example,) = examples_of(Text(max_length=64), rows, tokenizer)
        labels = torch.tensor([list(example.labels)])
        learned = (labels >= 0).sum() - 1  # the end costs nothing here
        tally = CausalTally(list(Text.metrics))
        batch = {"labels": labels, "num_bytes": torch.tensor([example.num_bytes])}
        tally.add(torch.tensor([nats * math.log(2) * int(learned)]), torch.tensor(0), batch)
        costs[name] = tally.values()
    assert costs["bytes"]["bits_per_byte"] == pytest.approx(1, rel=1e-6)
    assert costs["pairs"]["bits_per_byte"] == pytest.approx(1, rel=1e-6)
    assert costs["pairs"]["loss"] > 1.9 * costs["bytes"]["loss"]


def test_without_bytes_there_is_no_number():
    assert math.isnan(CausalTally(["bits_per_byte"]).values()["bits_per_byte"])


@pytest.mark.parametrize("task", [Text(), Instruction()])
def test_resampled_rows_have_their_bytes(task):
    losses, units = np.array([2.0, 4.0], np.float32), np.array([2, 2], np.int64)
    scores = np.array([[4.0], [16.0]], np.float32)
    found = task.resampled_scores(losses, units, scores, np.array([[1, 1], [2, 0]]))
    assert found["bits_per_byte"] == pytest.approx(np.array([6 / 20, 4 / 8]) / math.log(2))
    assert "rouge_l" not in found, "a column of bytes is no score of answers"


def test_tokens_are_the_same_whatever_is_special_among_them():
    plain = splitting_fingerprint(byte_tokenizer())
    assert splitting_fingerprint(byte_tokenizer(extra=["<|turn|>"])) == plain
    assert splitting_fingerprint(pair_tokenizer()) != plain
    added = byte_tokenizer()
    added.add_tokens(["<|turn|>"], special_tokens=True)
    assert splitting_fingerprint(added) == plain
    assert splitting_fingerprint(byte_tokenizer(chat_template="{{ messages }}", model_max_length=64)) == plain
