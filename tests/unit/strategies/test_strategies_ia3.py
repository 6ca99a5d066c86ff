from __future__ import annotations

import pytest
import torch
from test_strategies_lora import load_with_peft
from transformers import GPT2Config, GPT2LMHeadModel, RobertaConfig, RobertaForSequenceClassification

from ftsweep.errors import ConfigError
from ftsweep.strategies.base import parameter_groups
from ftsweep.strategies.ia3 import Ia3
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.testing.weights import digest, outputs, structure, train


def small_gpt2():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=2, n_positions=32, initializer_range=0.2)
    return GPT2LMHeadModel(config).eval()


def scaled(model):
    """Names of the layers with factors, and of those whose input is scaled."""
    layers = {name: module for name, module in model.get_base_model().named_modules() if hasattr(module, "ia3_l")}
    return set(layers), {name for name, layer in layers.items() if layer.is_feedforward}


def test_auto_scales_what_the_architecture_is_known_for():
    targets, feedforward = scaled(Ia3().apply(random_llama(), "causal_lm"))
    assert {name.rpartition(".")[2] for name in targets} == {"k_proj", "v_proj", "down_proj"}
    assert {name.rpartition(".")[2] for name in feedforward} == {"down_proj"}


def test_named_layers_are_scaled_instead():
    strategy = Ia3(targets=["q_proj", "model.layers.1.mlp.up_proj"], feedforward=["up_proj"])
    with pytest.raises(ConfigError, match=r"strategy\.feedforward: 'model.layers.0.mlp.up_proj' is not among"):
        strategy.apply(random_llama(), "causal_lm")
    strategy = Ia3(targets=["q_proj", "up_proj"], feedforward=["model.layers.1.mlp.up_proj"])
    targets, feedforward = scaled(strategy.apply(random_llama(), "causal_lm"))
    assert len(targets) == 4
    assert feedforward == {"model.layers.1.mlp.up_proj"}


def test_what_is_not_known_is_refused_before_anything_is_changed():
    base = small_gpt2()
    base.config.model_type = "unheard_of"
    before = digest(base), structure(base)
    for attempt in (Ia3().check_base, Ia3().apply):
        with pytest.raises(ConfigError, match=r"strategy\.targets: PEFT does not know.*This model has: c_attn, c_fc"):
            attempt(base, "causal_lm")
    with pytest.raises(ConfigError, match=r"strategy\.targets: 'k_prj' is no linear layer.*'k_proj'"):
        Ia3(targets=["k_prj"]).check_base(random_llama(), "causal_lm")
    assert (digest(base), structure(base)) == before
    without_experts = random_llama()
    without_experts.config.model_type = "mixtral"
    with pytest.raises(ConfigError, match=r"strategy\.targets: .* scales w2 .*Name them.*This model has: down_proj"):
        Ia3().check_base(without_experts, "causal_lm")
    with pytest.raises(ConfigError, match=r"^strategy\.feedforward: "):
        Ia3(feedforward=["down_proj"])
    with pytest.raises(ConfigError, match=r"^strategy\.targets: must be 'auto' or a list"):
        Ia3(targets="k_proj")


@pytest.mark.parametrize(
    ("make", "head"),
    [(random_llama, "causal_lm"), (small_gpt2, "causal_lm"), (random_bert, "sequence_classification")],
)
def test_peft_loads_what_is_saved_and_a_merged_model_answers_alike(make, head, tmp_path):
    torch.manual_seed(3)
    model = Ia3().apply(make(), head)
    train(model)
    answers = outputs(model)
    Ia3().save(model, tmp_path)
    torch.testing.assert_close(outputs(load_with_peft(make(), tmp_path)), answers, rtol=0, atol=0)
    torch.testing.assert_close(outputs(Ia3().merged(model)), answers, rtol=1e-4, atol=1e-5)


def test_a_head_of_several_layers_is_put_back():
    """PEFT's own unload takes out heads of a single layer only."""
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_labels=3
    )
    base = RobertaForSequenceClassification(config).eval()
    before = digest(base), structure(base)
    model = Ia3().apply(base, "sequence_classification")
    train(model)
    assert (digest(Ia3().remove(model)), structure(base)) == before


def test_factors_do_not_decay():
    """They rest at 1: decay would pull them to 0, and with them what they scale."""
    strategy = Ia3()
    model = strategy.apply(random_llama(), "causal_lm")
    assert {group["weight_decay"] for group in parameter_groups(model, strategy, 0.1)} == {0.0}


def test_the_distance_is_that_of_the_merged_weights():
    for make, head in ((random_llama, "causal_lm"), (small_gpt2, "causal_lm")):
        model = Ia3().apply(make(), head)
        distances = Ia3().distances(model, head)
        train(model)
        measured = sum(distance().item() for distance in distances)
        base, merged = make().state_dict(), Ia3().merged(model).state_dict()
        expected = sum((merged[name] - base[name]).square().sum().item() for name in base if "lm_head" not in name)
        assert measured == pytest.approx(expected, rel=1e-4)
