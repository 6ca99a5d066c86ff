"""Frozen bodies, trained tops: what `head`, `top_layers` and `head_then_full` train, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AlbertConfig, AlbertForSequenceClassification, AutoModelForSequenceClassification

from ftsweep.errors import ConfigError
from ftsweep.models.saving import save_whole
from ftsweep.strategies.base import Strategy
from ftsweep.strategies.head import LinearProbe
from ftsweep.strategies.head_then_full import HeadThenFull
from ftsweep.strategies.top_layers import TopLayers, modules_after, transformer_layers
from ftsweep.tasks.classification import Classification
from ftsweep.tasks.instruction import Instruction
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.testing.weights import outputs, token_batch, train


def trained(model: Any) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


def test_linear_probe_trains_the_head_alone_in_float32() -> None:
    base = random_bert().to(torch.bfloat16)
    model = LinearProbe().apply(base, "sequence_classification")
    assert trained(model) == {"classifier.weight", "classifier.bias"}
    assert model.classifier.weight.dtype is torch.float32
    assert model.bert.pooler.dense.weight.dtype is torch.bfloat16
    assert outputs(model).dtype is torch.float32


def test_linear_probe_keeps_a_head_that_was_loaded(tmp_path: Path) -> None:
    train(random_bert().requires_grad_(True))
    save_whole(random_bert(), tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    answers = outputs(loaded)
    probe = LinearProbe()
    model = probe.apply(loaded, "sequence_classification")
    assert torch.equal(outputs(model), answers)
    train(model)
    assert not torch.equal(outputs(model), answers)
    assert torch.equal(outputs(probe.remove(model)), answers)


@pytest.mark.parametrize("strategy", [LinearProbe(), HeadThenFull()], ids=["head", "head_then_full"])
def test_probe_of_a_task_without_a_new_head_is_refused(strategy: Strategy) -> None:
    strategy.check_task(Classification())
    with pytest.raises(ConfigError, match="the language model's own") as caught:
        strategy.check_task(Instruction())
    assert caught.value.where == "strategy"


def test_top_layers_trains_the_last_layers_and_what_follows_them() -> None:
    decoder = TopLayers(num_layers=1).apply(random_llama("sequence_classification"), "sequence_classification")
    assert {name.rpartition(".")[0] for name in trained(decoder) if "layers" not in name} == {"model.norm", "score"}
    assert {name.split(".")[2] for name in trained(decoder) if "layers" in name} == {"1"}
    encoder = TopLayers(num_layers=1).apply(random_bert(), "sequence_classification")
    others = {name.rpartition(".")[0] for name in trained(encoder) if "layer.1." not in name}
    assert others == {"bert.pooler.dense", "classifier"}


@pytest.mark.parametrize("tied", [True, False])
def test_top_layers_of_a_language_model_leaves_embeddings_and_output_layer_alone(tied: bool) -> None:
    model = TopLayers(num_layers=1).apply(random_llama(tie_word_embeddings=tied), "causal_lm")
    assert not any("embed" in name or "lm_head" in name for name in trained(model))
    assert "model.norm.weight" in trained(model)


def test_no_activations_are_kept_below_the_lowest_trained_layer() -> None:
    model = TopLayers(num_layers=1).apply(random_llama("sequence_classification"), "sequence_classification")
    hidden = model(**token_batch(), output_hidden_states=True).hidden_states
    assert [state.requires_grad for state in hidden] == [False, False, True]


def test_rate_falls_with_the_depth_of_a_layer() -> None:
    strategy = TopLayers(num_layers=3, rate_decay=0.5)
    model = strategy.apply(random_llama(num_hidden_layers=4), "causal_lm")
    factors = strategy.rate_factors(model)
    by_layer = {name.split(".")[2]: factor for name, factor in factors.items()}
    assert by_layer == {"3": 1.0, "2": 0.5, "1": 0.25}
    assert set(factors) == {name for name in trained(model) if "layers" in name}


def test_more_layers_than_the_model_has_are_refused() -> None:
    base = random_llama("sequence_classification")
    with pytest.raises(ConfigError, match="3 layers shall train, and the model has 2") as caught:
        TopLayers(num_layers=3).check_base(base, "sequence_classification")
    assert caught.value.where == "strategy.num_layers"
    with pytest.raises(ConfigError, match="at most 2"):
        TopLayers(num_layers=3).apply(base, "sequence_classification")


@pytest.mark.parametrize(
    "settings", [{"num_layers": 0}, {"num_layers": 1.5}, {"num_layers": True}, {"rate_decay": 0}, {"rate_decay": 1.1}]
)
def test_settings_out_of_bounds_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        TopLayers(**settings)


@pytest.mark.parametrize("settings", [{"head_epochs": 0}, {"head_learning_rate": -1.0}])
def test_phase_of_the_head_cannot_be_empty(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        HeadThenFull(**settings)


def test_model_that_uses_one_layer_again_and_again_is_refused() -> None:
    config = AlbertConfig(
        vocab_size=40, embedding_size=8, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8
    )
    with pytest.raises(ConfigError, match="no single list of layers"):
        TopLayers().apply(AlbertForSequenceClassification(config).eval(), "sequence_classification")


def test_what_follows_the_layers_is_found_by_the_order_in_which_it_runs() -> None:
    model = random_bert()
    names = {module: name for name, module in model.named_modules()}
    found = [names[module] for module in modules_after(model, transformer_layers(model))]
    assert found == ["bert.pooler.dense", "classifier"]


@pytest.mark.parametrize(
    ("strategy", "training"),
    [
        (LinearProbe(), {"dropout", "classifier"}),
        (TopLayers(num_layers=1), {"dropout", "classifier", "bert.encoder.layer.1", "bert.pooler"}),
    ],
    ids=["head", "top_layers"],
)
def test_frozen_parts_stay_in_eval_mode(strategy: Strategy, training: set[str]) -> None:
    model = strategy.apply(random_bert(), "sequence_classification")
    strategy.set_training(model)
    tops = {name for name, module in model.named_modules() if module.training and name}
    assert {name for name in tops if name.rpartition(".")[0] not in tops} == training
