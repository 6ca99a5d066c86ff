"""Frozen layers below the lowest trained one are looked up: to the same answers, in training alone, and undone."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from engine_steps import finish
from transformers import (
    BertConfig,
    BertForTokenClassification,
    DebertaV2Config,
    DebertaV2ForTokenClassification,
    LlamaConfig,
    LlamaForCausalLM,
)
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from ftsweep.strategies.top_layers import transformer_layers
from ftsweep.training import checkpoint
from ftsweep.training.features.layers_below import LookedUp, look_up_layers, put_back_layers, tokens_below
from ftsweep.training.features.table import FIRST_ADDRESS
from ftsweep.worker.engine import Engine

MakeJob = Callable[..., dict[str, Any]]
TOP = {"_target_": "ftsweep.strategies.TopLayers", "num_layers": 1}
LENGTHS = (5, 3, 7)


def llama() -> Any:
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(**sizes, intermediate_size=24, pad_token_id=0)).eval()


def bert() -> Any:
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    return BertForTokenClassification(BertConfig(**sizes, intermediate_size=24)).eval()


def deberta() -> Any:
    """Its layers answer with their attention weights, too."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = DebertaV2Config(**sizes, intermediate_size=24, relative_attention=True, pos_att_type=["p2c", "c2p"])
    return DebertaV2ForTokenClassification(config).eval()


def examples() -> list[np.ndarray]:
    chance = np.random.default_rng(0)
    return [chance.integers(1, 40, length) for length in LENGTHS]


class Prepared:
    """Three examples of train and none of validation."""

    def split(self, name: str) -> Any:
        return _Split(examples() if name == "train" else [])


class _Split:
    def __init__(self, found: list[np.ndarray]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def input_ids(self, index: int) -> np.ndarray:
        return self._found[index]


def padded(rows: list[np.ndarray], value: int) -> torch.Tensor:
    batch = torch.full((len(rows), max(map(len, rows))), value)
    for row, ids in zip(batch, rows, strict=True):
        row[: len(ids)] = torch.from_numpy(ids)
    return batch


@pytest.mark.parametrize("make", [llama, bert, deberta])
@torch.no_grad()
def test_addresses_give_what_tokens_give(make: Callable[[], Any]) -> None:
    model, rows = make(), examples()
    ids = padded(rows, 0)
    mask = (ids != 0).long()
    expected = model(input_ids=ids, attention_mask=mask).logits
    evaluator: Any = SimpleNamespace(device=torch.device("cpu"), autocast_dtype=None)
    found = tokens_below(model, {"input_ids": ids, "attention_mask": mask}, evaluator, 2)
    table = torch.cat([torch.zeros_like(found[:1]), found])
    look_up_layers(model, Prepared(), table, 2)  # type: ignore[arg-type]
    first, calls = 1, []
    addresses = []
    for row in rows:
        addresses.append(FIRST_ADDRESS + np.arange(first, first + len(row)))
        first += len(row)
    transformer_layers(model)[0].__dict__["layer"].register_forward_pre_hook(lambda *_: calls.append(1))
    looked_up = model(input_ids=padded(addresses, FIRST_ADDRESS), attention_mask=mask).logits
    torch.testing.assert_close(looked_up[mask.bool()], expected[mask.bool()], atol=1e-5, rtol=0)
    assert not calls
    torch.testing.assert_close(model(input_ids=ids, attention_mask=mask).logits, expected)  # real tokens run the layers
    assert calls
    put_back_layers(model)
    assert not any(isinstance(module, LookedUp) for module in model.modules())
    assert not model._forward_pre_hooks
    assert not model._forward_hooks
    with pytest.raises(IndexError):
        model(input_ids=padded(addresses, FIRST_ADDRESS), attention_mask=mask)


@torch.no_grad()
def test_answers_are_generated_by_all_layers() -> None:
    model = llama()
    ids = torch.from_numpy(examples()[0])[None]
    settings = {"max_new_tokens": 6, "do_sample": False, "attention_mask": torch.ones_like(ids)}
    expected = model.generate(ids, **settings)
    look_up_layers(model, Prepared(), torch.zeros(1 + sum(LENGTHS), 16), 2)  # type: ignore[arg-type]
    assert model.generate(ids, **settings).tolist() == expected.tolist()


@pytest.fixture
def long_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of the embedded model's layers: the number of each call on more than two tokens a row."""
    calls: list[int] = []
    real = LlamaDecoderLayer.forward

    def forward(layer: Any, hidden: torch.Tensor, *args: Any, **settings: Any) -> Any:
        if hidden.shape[1] > 2:
            calls.append(layer.self_attn.layer_idx)
        return real(layer, hidden, *args, **settings)

    monkeypatch.setattr(LlamaDecoderLayer, "forward", forward)
    return calls


def test_frozen_layers_run_once_for_all_trials(
    config: dict[str, Any], make_job: MakeJob, long_calls: list[int]
) -> None:
    config["strategy"] = TOP
    first, _ = finish(Engine(threads=1), make_job())
    assert {0, 1, 2, 3} == set(long_calls)
    long_calls.clear()
    again, _ = finish(Engine(threads=1), make_job(name="trial-0001"))
    assert set(long_calls) == {3}
    assert [each.values for each in again] == [each.values for each in first]


def test_killed_trial_goes_on_to_the_same_values(
    config: dict[str, Any], make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", math.inf)
    config["strategy"] = TOP
    undisturbed, _ = finish(Engine(threads=1), make_job())
    job, killed = make_job(name="trial-0001"), Engine(threads=1)
    killed.admit(job)
    while killed.num_steps < 6:
        if any(message["type"] == "measured" for message in killed.step()):
            killed.answer({"type": "continue", "job": job["job"]})
    del killed
    rest, _ = finish(Engine(threads=1), job)
    assert 0 < len(rest) < len(undisturbed)
    assert [each.values for each in rest] == [each.values for each in undisturbed][-len(rest) :]


def test_base_is_whole_again(config: dict[str, Any], make_job: MakeJob, tmp_path: Path) -> None:
    config["strategy"] = TOP
    engine = Engine(threads=1)
    finish(engine, make_job())
    (base,) = engine.components.bases._bases
    assert not any(isinstance(module, LookedUp) for module in base.model.modules())
    config["strategy"] = {"_target_": "ftsweep.strategies.Lora"}
    after, _ = finish(engine, make_job(name="trial-0001"))
    fresh, _ = finish(Engine(threads=1), make_job(name="trial-0002"))
    assert [each.values for each in after] == [each.values for each in fresh]
