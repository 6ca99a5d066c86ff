from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from ftsweep.strategies.lora import Lora
from ftsweep.tasks import read_rows
from ftsweep.tasks.causal import supervised_positions, token_losses
from ftsweep.tasks.read_rows import MIN_ROWS, feed_forward, last_tokens, positions_read, reading, rows_read
from ftsweep.tasks.sequence import head_outputs
from ftsweep.testing.random_models import random_bert, random_llama

SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
FAMILIES = {
    "Gemma2": {},
    "GPTNeoX": {},
    "Mistral": {},
    "Mixtral": {"num_local_experts": 2, "num_experts_per_tok": 1},
    "Phi": {},
    "Qwen2": {},
    "Qwen3": {},
}


def texts(num_rows=8, length=24):
    chance = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 60, (num_rows, length), generator=chance)
    lengths = torch.randint(4, length + 1, (num_rows,), generator=chance)
    mask = (torch.arange(length) < lengths[:, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask, "labels": torch.where(mask.bool(), ids, -100)}


def answers():
    """The last tokens of each text are learned, and one at the beginning of the first."""
    batch = texts(num_rows=16)
    lengths = batch["attention_mask"].sum(dim=1, keepdim=True)
    is_learned = torch.arange(24) >= lengths - 4
    is_learned[0, 2] = True
    batch["labels"][~is_learned] = -100
    return batch


def rows_seen(model, monkeypatch):
    """What is given to the last layer's feed-forward part, as numbers of rows; found out before."""
    seen = []
    part = feed_forward(model)
    part.__dict__["computes_rows_apart"] = {True: True, False: True}
    forward = type(part).forward

    def counted(self, x, *args, **kwargs):
        if self is part:
            seen.append(x.shape[:-1].numel())
        return forward(self, x, *args, **kwargs)

    monkeypatch.setattr(type(part), "forward", counted)
    return seen


def with_and_without(monkeypatch, compute):
    """What is computed of the read rows alone, and of all."""
    found = [compute()]
    with monkeypatch.context() as patch:
        patch.setattr(read_rows, "rows_read", lambda *given: None)
        found.append(compute())
    return found


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("family", FAMILIES)
def test_decoders_of_many_families_answer_as_ever(family, monkeypatch):
    import transformers

    config = getattr(transformers, f"{family}Config")(**SIZES, **FAMILIES[family])
    torch.manual_seed(0)
    scorer = getattr(transformers, f"{family}ForSequenceClassification")(config).eval()
    writer = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        narrow, whole = with_and_without(monkeypatch, lambda: head_outputs(scorer, texts()))
        assert (narrow - whole).abs().max() <= 1e-5 * whole.abs().max()
        narrow, whole = with_and_without(monkeypatch, lambda: token_losses(writer, answers())[0])
        torch.testing.assert_close(narrow, whole, rtol=1e-5, atol=1e-5)


def test_most_rows_of_a_text_are_left_out_of_the_last_layer(monkeypatch):
    model = random_llama("sequence_classification")
    seen = rows_seen(model, monkeypatch)
    head_outputs(model, texts(num_rows=48))
    assert seen == [48]
    head_outputs(model, texts(num_rows=8))
    assert seen == [48, MIN_ROWS]


def test_only_what_predicts_an_answer_goes_through_the_last_layer(monkeypatch):
    model = random_llama("causal_lm")
    seen = rows_seen(model, monkeypatch)
    batch = answers()
    token_losses(model, batch)
    assert seen == [len(supervised_positions(batch["labels"]))]
    assert MIN_ROWS < seen[0] < 0.75 * batch["labels"].numel()


@pytest.mark.parametrize("head", ["sequence_classification", "causal_lm"])
@pytest.mark.parametrize("is_lora", [False, True])
def test_gradients_are_those_of_the_whole(head, is_lora, monkeypatch):
    model = random_llama(head)
    if is_lora:
        model = Lora(rank=4).apply(model, head)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.normal_(std=0.1)
    model.train()

    def compute():
        if head == "causal_lm":
            return gradients(model, token_losses(model, answers())[0].sum())
        return gradients(model, head_outputs(model, texts()).square().sum())

    narrow, whole = with_and_without(monkeypatch, compute)
    assert narrow.keys() == whole.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(narrow[name], gradient, rtol=1e-4, atol=1e-5)


def test_a_part_that_mixes_rows_is_computed_whole(monkeypatch):
    class Mixing(nn.Module):
        def __init__(self, part):
            super().__init__()
            self.part = part

        def forward(self, x):
            return self.part(x + x.mean(dim=1, keepdim=True))

    model = random_llama("sequence_classification")
    layer = model.model.layers[-1]
    layer.mlp = Mixing(layer.mlp)
    with torch.no_grad():
        narrow, whole = with_and_without(monkeypatch, lambda: head_outputs(model, texts()))
    assert torch.equal(narrow, whole)


def test_where_dropout_is_drawn_all_rows_are_computed(monkeypatch):
    model = Lora(rank=4, dropout=0.2).apply(random_llama("sequence_classification"), "sequence_classification")
    seen = rows_seen(model.get_base_model(), monkeypatch)
    head_outputs(model.train(), texts())
    head_outputs(model.eval(), texts())
    assert seen == [8 * 24, MIN_ROWS]


def test_whether_rows_are_apart_is_found_out_without_a_draw(monkeypatch):
    model = random_llama("sequence_classification").train()
    part = feed_forward(model)
    whole = part.forward
    part.forward = lambda x: torch.nn.functional.dropout(whole(x), 1e-6, training=part.training)  # of no module
    draws = []
    for _ in range(2):
        torch.manual_seed(0)
        head_outputs(model, texts())
        draws.append(torch.rand(1))
    assert torch.equal(*draws), "the first step draws as a later one, which a new process finds out anew"
    assert part.__dict__["computes_rows_apart"] == {True: False}
    head_outputs(model.eval(), texts())
    assert part.__dict__["computes_rows_apart"] == {True: False, False: True}


def test_recomputed_layers_are_computed_whole(monkeypatch):
    model = random_llama("sequence_classification").train()
    model.activation_checkpointing_enable({"use_reentrant": False})
    seen = rows_seen(model, monkeypatch)
    head_outputs(model, texts()).sum().backward()
    assert set(seen) == {8 * 24}


@pytest.mark.parametrize("is_adapted", [True, False])
def test_no_step_looks_at_all_modules_of_the_model(monkeypatch, is_adapted):
    """transformers' `is_activation_checkpointing` does: a tenth of a step of one short row."""
    model = random_llama("sequence_classification")
    if is_adapted:
        model = Lora(rank=4).apply(model, "sequence_classification")
    head_outputs(model.train(), texts())  # what is found out once
    looked_at = []
    named_modules = nn.Module.named_modules
    monkeypatch.setattr(
        nn.Module, "named_modules", lambda self, *a, **k: looked_at.append(self) or named_modules(self, *a, **k)
    )
    head_outputs(model, texts()).sum().backward()
    assert not any(type(module).__name__.endswith(("Model", "ModuleList", "Classification")) for module in looked_at)


def test_the_positions_are_those_of_the_call_under_way_alone():
    model = random_llama("causal_lm")
    positions = torch.tensor([1, 5])
    with reading(model, positions):
        assert positions_read(model) is positions
    assert positions_read(model) is None
    assert "forward" not in feed_forward(model).__dict__
    assert feed_forward(random_bert("sequence_classification")) is None
    with reading(random_bert("sequence_classification"), positions):
        pass


@pytest.mark.parametrize("read", [[0], [3, 70, 99], list(range(0, 100, 3)), list(range(60))])
def test_rows_are_the_read_ones_and_as_many_as_a_product_needs(read):
    rows = rows_read(torch.tensor(read), 100)
    assert rows.tolist() == sorted(set(rows.tolist()) | set(read))
    assert len(rows) == max(MIN_ROWS, len(read))


def test_nearly_all_rows_are_all_rows():
    assert rows_read(torch.arange(80), 100) is None
    assert rows_read(torch.arange(2), MIN_ROWS + 5) is None
    assert rows_read(None, 1000) is None


def test_the_last_token_is_the_one_that_the_head_takes():
    model = random_llama("sequence_classification")
    batch = texts()
    batch["input_ids"][0, int(batch["attention_mask"][0].sum()) - 1] = 0  # a text that ends with the padding token
    hidden = torch.randn(*batch["input_ids"].shape, 32)
    model.model.forward = lambda *given, **more: BaseModelOutputWithPast(last_hidden_state=hidden)
    picked = model.score(hidden).flatten(0, 1)[last_tokens(model, batch)]
    assert torch.equal(head_outputs(model, batch), picked)
    assert last_tokens(random_bert("sequence_classification"), batch) is None
    assert last_tokens(model, {"input_ids": batch["input_ids"] + 2**32}) is None  # no tokens, but places in a table
