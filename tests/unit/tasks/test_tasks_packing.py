"""Packed documents see only themselves: in every architecture that says so, and in none unnoticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from ftsweep.errors import ModelError
from ftsweep.strategies.base import start_checkpointing
from ftsweep.strategies.lora import Lora
from ftsweep.tasks.base import IGNORED, Example
from ftsweep.tasks.causal import token_losses
from ftsweep.tasks.encoding.packing import best_fit, block_example, check_keeps_apart, document_positions, pieces
from ftsweep.tasks.text import Text
from ftsweep.testing.random_models import byte_tokenizer, random_llama

SIZES: dict[str, Any] = {
    "vocab_size": 264,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.2,
}


def gpt2(attention: str) -> PreTrainedModel:
    """Learned absolute positions."""
    config = GPT2Config(vocab_size=264, n_embd=32, n_layer=2, n_head=4, n_positions=512, initializer_range=0.2)
    return seeded(GPT2LMHeadModel, config, attention)


def mistral(attention: str) -> PreTrainedModel:
    """A window shorter than the documents."""
    return seeded(MistralForCausalLM, MistralConfig(**SIZES, sliding_window=5), attention)


def qwen(attention: str) -> PreTrainedModel:
    """Windows in some layers only."""
    config = Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=5, max_window_layers=1)
    return seeded(Qwen2ForCausalLM, config, attention)


def llama(attention: str) -> PreTrainedModel:
    return seeded(type(random_llama()), random_llama().config, attention)


def seeded(cls: Any, config: Any, attention: str) -> PreTrainedModel:
    torch.manual_seed(0)
    config._attn_implementation = attention
    model: PreTrainedModel = cls(config).eval()
    return model


def documents() -> list[dict[str, str]]:
    generator = torch.Generator().manual_seed(0)
    lengths = (5, 17, 9, 23, 30, 3, 12, 40, 8)
    return [{"text": "".join(map(chr, torch.randint(97, 123, (n,), generator=generator).tolist()))} for n in lengths]


def batch_of(examples: list[Example], task: Text) -> dict[str, torch.Tensor]:
    longest = max(len(example.input_ids) for example in examples)
    ids = torch.zeros(len(examples), longest, dtype=torch.long)
    labels, mask = torch.full_like(ids, IGNORED), torch.zeros_like(ids)
    for row, example in enumerate(examples):
        length = len(example.input_ids)
        ids[row, :length] = torch.tensor(example.input_ids)
        labels[row, :length] = torch.tensor(example.labels)
        mask[row, :length] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask, **task.batch_extras(labels)}


def examples_of(task: Text) -> list[Example]:
    return [example for example in task.encode(documents(), byte_tokenizer(), {}) if isinstance(example, Example)]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("make", [llama, gpt2, mistral, qwen])
def test_packed_documents_have_the_loss_of_unpacked_ones(make: Callable[[str], PreTrainedModel], attention: str):
    model, totals = make(attention), {}
    for packed in (True, False):
        task = Text(max_length=48, packed=packed)
        batch = batch_of(examples_of(task), task)
        assert ("position_ids" in batch) is packed
        with torch.no_grad():
            losses, _ = task.losses(model, batch)
        totals[packed] = losses.double().sum().item() / task.row_units(batch["labels"]).sum().item()
    assert totals[True] == pytest.approx(totals[False], abs=1e-5)


@pytest.mark.parametrize("make", [llama, gpt2, mistral])
def test_another_neighbour_changes_nothing_at_all_in_a_document(make: Callable[[str], PreTrainedModel]):
    model, task = make("sdpa"), Text(max_length=40)
    own, neighbours = list(range(50, 70)), [list(range(100, 116)), list(range(140, 156))]
    for is_first in (True, False):
        found = []
        for other in neighbours:
            batch = batch_of([block_example([own, other] if is_first else [other, own])], task)
            with torch.no_grad():
                losses, _, _ = token_losses(model, batch)
            found.append(losses[: len(own) - 1] if is_first else losses[len(other) - 1 :])
        assert len(found[0]) == len(own) - 1
        assert torch.equal(*found)


def test_a_packed_batch_trains_as_its_documents_do_through_adapters_and_checkpoints():
    gradients = {}
    for packed in (True, False):
        task, strategy = Text(max_length=48, packed=packed), Lora(rank=2)
        torch.manual_seed(1)
        model = strategy.apply(random_llama(), "causal_lm")
        start_checkpointing(model)
        model.train()
        task.losses(model, batch_of(examples_of(task), task))[0].sum().backward()
        gradients[packed] = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert gradients[True]
    for name, gradient in gradients[True].items():
        torch.testing.assert_close(gradient, gradients[False][name], atol=1e-4, rtol=1e-4)


def test_a_model_that_mixes_documents_is_refused_and_unpacked_text_is_not():
    config = BloomConfig(vocab_size=264, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.2)
    model = seeded(BloomForCausalLM, config, "eager")
    task = Text(max_length=48)
    with pytest.raises(ModelError, match=r"BloomForCausalLM does not keep packed documents apart.*task\.packed=false"):
        task.losses(model, batch_of(examples_of(task), task))
    unpacked = Text(max_length=48, packed=False)
    losses, _ = unpacked.losses(model, batch_of(examples_of(unpacked), unpacked))
    assert losses.isfinite().all()


def test_the_look_at_a_model_leaves_its_modes_and_the_generator_alone():
    model = random_llama()
    model.train()
    model.model.layers[0].eval()
    modes, state = [module.training for module in model.modules()], torch.get_rng_state()
    check_keeps_apart(model)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)


def test_positions_restart_with_each_document_and_padding_is_alone():
    labels = torch.tensor([[IGNORED, 5, 6, IGNORED, 7, IGNORED], [IGNORED, 5, 6, 7, 8, 9]])
    positions = document_positions(labels)
    assert positions is not None
    assert positions.tolist() == [[0, 1, 2, 0, 1, 0], [0, 1, 2, 3, 4, 5]]


def test_rows_of_one_document_each_need_no_positions():
    assert document_positions(torch.tensor([[IGNORED, 5, 6], [IGNORED, 5, IGNORED]])) is None


def test_best_fit_loses_no_piece_and_wastes_little_room():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 65, (500,), generator=generator).tolist()
    blocks = best_fit(lengths, 64)
    assert sorted(index for block in blocks for index in block) == list(range(500))
    assert max(sum(lengths[index] for index in block) for block in blocks) <= 64
    assert len(blocks) * 64 <= 1.05 * sum(lengths)
    assert blocks == sorted(blocks)


@pytest.mark.parametrize(
    ("length", "start", "expected"),
    [
        (3, [], [[10, 11, 12, 9]]),
        (4, [], [[10, 11, 12, 13]]),  # its end alone has nothing to learn
        (5, [], [[10, 11, 12, 13], [14, 9]]),
        (5, [1], [[1, 10, 11, 12], [1, 13, 14, 9]]),
    ],
)
def test_a_long_document_is_cut_into_pieces_that_begin_alike(length: int, start: list[int], expected: list[list[int]]):
    ids = list(range(10, 10 + length))
    assert list(pieces(ids, start=start, end=9, max_length=4)) == expected


def test_a_task_says_beforehand_which_model_it_cannot_do():
    config = BloomConfig(vocab_size=264, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.2)
    model = seeded(BloomForCausalLM, config, "eager")
    with pytest.raises(ModelError, match="does not keep packed documents apart"):
        Text().check_model(model)
    Text(packed=False).check_model(model)
    Text().check_model(random_llama())
