from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from peft.tuners.lora import Linear
from torch.utils._python_dispatch import TorchDispatchMode

from ftsweep.strategies.adapters import lora_layers
from ftsweep.strategies.base import start_checkpointing
from ftsweep.strategies.lean import LeanLinear, lean_among
from ftsweep.strategies.lora import Lora
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.testing.weights import digest, outputs, token_batch, train


class Operations(TorchDispatchMode):
    """Counts what is computed; making an empty tensor is not."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "empty" not in func._schema.name
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


def mixed_step(make, head, *, is_lean, base_type, **settings):
    """Logits, the gradient of what trains as one vector, and operations, of a step in bfloat16 autocast."""
    _, model = adapted(make, head, is_lean=is_lean, **settings)
    for layer in lora_layers(model).values():
        layer.get_base_layer().to(base_type)
    model.train()
    torch.manual_seed(1)
    with Operations() as counted:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(**token_batch()).logits
        logits.float().square().mean().backward()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert all(weight.grad.dtype == weight.dtype == torch.float32 for weight in trained)
    return logits.detach(), torch.cat([weight.grad.flatten() for weight in trained]), counted.count


@pytest.mark.parametrize("base_type", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("settings", [{}, {"dropout": 0.3}])
@pytest.mark.parametrize(("make", "head"), MODELS)
def test_a_step_in_mixed_precision_equals_pefts_to_its_rounding_and_takes_fewer_operations(
    make, head, settings, base_type
):
    logits, gradient, num_operations = mixed_step(make, head, is_lean=True, base_type=base_type, **settings)
    of_peft, pefts_gradient, pefts_operations = mixed_step(make, head, is_lean=False, base_type=base_type, **settings)
    assert logits.dtype == of_peft.dtype
    torch.testing.assert_close(logits, of_peft, rtol=0.05, atol=0.05 * of_peft.abs().max().item())
    assert torch.linalg.vector_norm(gradient - pefts_gradient) < 0.05 * torch.linalg.vector_norm(pefts_gradient)
    assert num_operations < (0.9 if settings else 0.8) * pefts_operations


@pytest.mark.parametrize("settings", [{}, {"dora": True}, {"targets": ["q_proj"]}])
def test_factors_cast_together_give_the_gradients_of_factors_cast_one_by_one(settings):
    found = []
    for is_together in (True, False):
        strategy, model = adapted(random_llama, "causal_lm", **settings)
        model.train()
        cast_for_a_pass = strategy.training_pass(model, torch.bfloat16) if is_together else nullcontext
        with Operations() as counted:
            with torch.autocast("cpu", dtype=torch.bfloat16), cast_for_a_pass():
                loss = model(**token_batch()).logits.float().square().mean()
            loss.backward()
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        found.append((torch.cat([weight.grad.flatten() for weight in trained]), counted.count))
        assert all(layer.cast_factors is None for layer in lean_among(lora_layers(model)))
    assert torch.equal(found[0][0], found[1][0])
    if settings == {}:
        num_factors = 2 * len(lora_layers(model))
        assert found[0][1] <= found[1][1] - 2 * num_factors + 2


def test_a_checkpoint_that_is_computed_again_after_the_block_gives_the_same_gradients():
    found = []
    for is_checkpointed in (True, False):
        strategy, model = adapted(random_llama, "causal_lm")
        if is_checkpointed:
            start_checkpointing(model)
        model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16), strategy.training_pass(model, torch.bfloat16)():
            loss = model(**token_batch()).logits.float().square().mean()
        loss.backward()
        found.append(torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.requires_grad]))
    assert torch.equal(*found)


def test_measuring_in_mixed_precision_casts_once_for_all_passes_and_merges_nothing():
    strategy, model = adapted(random_llama, "causal_lm")
    model.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = outputs(model)
    with strategy.measuring(model, torch.bfloat16):
        layers = lean_among(lora_layers(model))
        assert all(layer.cast_factors is not None and layer.merged_weight is None for layer in layers)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(outputs(model), before)
    assert all(layer.cast_factors is None for layer in layers)


def test_in_the_weights_own_type_nothing_is_cast():
    strategy, model = adapted(random_llama, "causal_lm")
    with strategy.training_pass(model, None)():
        assert all(layer.cast_factors is None for layer in lean_among(lora_layers(model)))


def test_weights_are_not_merged_into_a_lesser_type():
    strategy, model = adapted(random_llama, "causal_lm")
    model.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = outputs(model)
        with strategy.measuring(model):
            assert torch.equal(outputs(model), before)


def test_double_precision_stays_what_it_is_where_autocast_is_on():
    found = []
    for is_lean in (True, False):
        _, model = adapted(random_llama, "causal_lm", is_lean=is_lean)
        model.double().eval()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found.append(outputs(model))
    assert found[0].dtype == found[1].dtype
    torch.testing.assert_close(*found)


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
