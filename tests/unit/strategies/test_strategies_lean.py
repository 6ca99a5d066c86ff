from __future__ import annotations

import pytest
import torch
from peft.tuners.lora import Linear
from torch.utils._python_dispatch import TorchDispatchMode

from ftsweep.strategies.adapters import lora_layers
from ftsweep.strategies.lean import LeanLinear
from ftsweep.strategies.lora import Lora
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.testing.weights import digest, outputs, token_batch, train


class Operations(TorchDispatchMode):
    """Counts what is computed."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


def adapted(make, head, *, is_lean=True, **settings):
    strategy, base = Lora(**settings), make(head)
    torch.manual_seed(0)
    model = strategy.apply(base, head)
    layers = lora_layers(model).values()
    if not is_lean:
        for layer in layers:
            layer.__class__ = Linear
    with torch.no_grad():
        for layer in layers:  # as if it had trained
            layer.lora_B["default"].weight.normal_(std=0.1)
    return strategy, model


MODELS = [
    (random_bert, "sequence_classification"),
    (random_bert, "token_classification"),
    (random_bert, "masked_lm"),
    (random_llama, "causal_lm"),
    (random_llama, "sequence_classification"),
]


@pytest.mark.parametrize("settings", [{}, {"rslora": True, "rank": 3}, {"dropout": 0.3}, {"init": "pissa", "rank": 2}])
@pytest.mark.parametrize(("make", "head"), MODELS)
def test_a_step_equals_pefts(make, head, settings):
    found = []
    for is_lean in (True, False):
        _, model = adapted(make, head, is_lean=is_lean, **settings)
        model.train()
        torch.manual_seed(1)
        model(**token_batch()).logits.square().mean().backward()
        found.append({name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad})
        assert all(isinstance(layer, LeanLinear) == is_lean for layer in lora_layers(model).values())
    assert found[0].keys() == found[1].keys()
    largest = max(gradient.abs().max().item() for gradient in found[0].values())
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], rtol=1e-4, atol=1e-6 * largest, msg=name)


@pytest.mark.parametrize("settings", [{}, {"rslora": True}, {"init": "pissa", "rank": 2}])
@pytest.mark.parametrize(("make", "head"), MODELS)
def test_measuring_with_merged_weights_changes_nothing_but_the_cost(make, head, settings):
    strategy, model = adapted(make, head, **settings)
    model.eval()
    before, weights = outputs(model), digest(model)
    with strategy.measuring(model):
        assert all(layer.merged_weight is not None for layer in lora_layers(model).values())
        with Operations() as merged:
            torch.testing.assert_close(outputs(model), before, rtol=1e-4, atol=1e-5)
    with Operations() as apart:
        assert torch.equal(outputs(model), before)
    assert digest(model) == weights
    assert merged.count < apart.count


def test_a_block_inside_of_another_leaves_the_weights_merged():
    strategy, model = adapted(random_llama, "causal_lm")
    with strategy.measuring(model):
        merged = [layer.merged_weight for layer in lora_layers(model).values()]
        with strategy.measuring(model):
            pass
        assert all(
            layer.merged_weight is weight for layer, weight in zip(lora_layers(model).values(), merged, strict=True)
        )
    assert all(layer.merged_weight is None for layer in lora_layers(model).values())


def test_an_error_while_measuring_leaves_no_merged_weight_behind():
    strategy, model = adapted(random_llama, "causal_lm")
    with pytest.raises(RuntimeError), strategy.measuring(model):
        raise RuntimeError
    assert all(layer.merged_weight is None for layer in lora_layers(model).values())


def test_large_bases_are_not_copied(monkeypatch):
    monkeypatch.setattr("ftsweep.strategies.lean.MAX_MERGED_BYTES", 1000)
    strategy, model = adapted(random_llama, "causal_lm")
    with strategy.measuring(model):
        assert all(layer.merged_weight is None for layer in lora_layers(model).values())


def test_mixed_precision_is_computed_as_peft_does():
    results = []
    for is_lean in (True, False):
        _, model = adapted(random_llama, "causal_lm", is_lean=is_lean)
        model.eval()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            results.append(outputs(model))
    assert torch.equal(*results)


def test_a_step_takes_fewer_operations_than_pefts():
    counts = []
    for is_lean in (True, False):
        _, model = adapted(random_llama, "causal_lm", is_lean=is_lean)
        model.train()
        with Operations() as counted:
            model(**token_batch()).logits.sum().backward()
        counts.append(counted.count)
    assert counts[0] < 0.85 * counts[1], counts


def test_an_adapter_switched_off_leaves_the_base():
    strategy, model = adapted(random_llama, "causal_lm")
    plain = outputs(random_llama("causal_lm"))
    with strategy.base_answers(model)() as base:
        assert torch.equal(outputs(base), plain)


def test_training_with_either_layer_comes_to_the_same_weights():
    found = []
    for is_lean in (True, False):
        _, model = adapted(random_llama, "causal_lm", is_lean=is_lean)
        train(model)
        found.append(torch.cat([weight.flatten() for weight in model.parameters() if weight.requires_grad]))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)
