from __future__ import annotations

import json
import os
import socket
import warnings
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import (
    AutoModelForSequenceClassification,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    MambaConfig,
    MambaForCausalLM,
)

from ftsweep.errors import ConfigError, ModelError
from ftsweep.strategies.lora import Lora
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.testing.weights import digest, outputs, structure, token_batch, train

BASES = {
    "causal_lm": random_llama,
    "sequence_classification": lambda: random_bert(),
    "token_classification": lambda: random_llama("token_classification"),
}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"rank": 0}, "rank"),
        ({"rank": -1}, "rank"),
        ({"rank": 2.0}, "rank"),
        ({"rank": True}, "rank"),
        ({"alpha": 0}, "alpha"),
        ({"alpha": -1.5}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"dropout": float("nan")}, "dropout"),
        ({"targets": "q_proj"}, "targets"),
        ({"targets": []}, "targets"),
        ({"targets": [3]}, "targets"),
    ],
)
def test_a_setting_without_meaning_is_refused_by_its_key(settings, key):
    with pytest.raises(ConfigError, match=rf"^strategy\.{key}: "):
        Lora(**settings)


def test_settings_reach_the_adapter():
    model = Lora(rank=3, dropout=0.25, targets=["q_proj", "v_proj"]).apply(random_llama(), "causal_lm")
    layer = model.get_base_model().model.layers[1].self_attn
    assert layer.q_proj.lora_A["default"].weight.shape == (3, 32)
    assert layer.q_proj.scaling["default"] == 2.0, "alpha is twice the rank by default"
    assert layer.q_proj.lora_dropout["default"].p == 0.25
    assert not hasattr(layer.k_proj, "lora_A")
    stabilised = Lora(rank=4, alpha=6, rslora=True).apply(random_llama(), "causal_lm")
    assert stabilised.get_base_model().model.layers[0].mlp.up_proj.scaling["default"] == 3.0
    magnitudes = [name for name, _ in Lora(dora=True).apply(random_llama(), "causal_lm").named_parameters()]
    assert any("magnitude" in name for name in magnitudes)


def test_all_linear_is_all_but_the_output_layer_and_the_head():
    cases = ((random_llama(), "causal_lm", "lm_head"), (random_bert(), "sequence_classification", "classifier"))
    for base, head, kept in cases:
        linear = {name for name, module in base.named_modules() if isinstance(module, torch.nn.Linear)}
        inner = Lora().apply(base, head).get_base_model()
        assert {name for name, module in inner.named_modules() if hasattr(module, "lora_A")} == linear - {kept}


def test_the_layer_that_mamba_takes_past_its_adapter_gets_none():
    base = MambaForCausalLM(MambaConfig(vocab_size=64, hidden_size=16, state_size=4, num_hidden_layers=1))
    with pytest.raises(ConfigError, match=r"strategy\.targets: 'out_proj' is no linear layer"):
        Lora(targets=["out_proj"]).apply(base, "causal_lm")
    inner = Lora().apply(base, "causal_lm").get_base_model()
    adapted = {name.rpartition(".")[2] for name, module in inner.named_modules() if hasattr(module, "lora_A")}
    assert adapted == {"in_proj", "x_proj", "dt_proj"}


def test_a_vision_tower_gets_no_adapters():
    text = {
        "vocab_size": 64,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    text |= {"num_key_value_heads": 2, "head_dim": 8}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Gemma3Config(text_config=text, vision_config={**vision, "image_size": 28, "patch_size": 14})
    inner = Lora().apply(Gemma3ForConditionalGeneration(config), "causal_lm").get_base_model()
    adapted = [name for name, module in inner.named_modules() if hasattr(module, "lora_A")]
    assert len(adapted) == 7
    assert all(name.startswith("model.language_model.layers.0.") for name in adapted)


def test_an_unknown_target_is_refused_with_its_neighbours_and_leaves_the_base_alone():
    base = random_llama()
    before, names = digest(base), structure(base)
    with pytest.raises(ConfigError, match=r"strategy\.targets: 'q_prj' is no linear layer.*'q_proj'"):
        Lora(targets=["v_proj", "q_prj"]).apply(base, "causal_lm")
    with pytest.raises(ConfigError, match="'lm_head' is no linear layer"):
        Lora(targets=["lm_head"]).apply(base, "causal_lm")
    assert (digest(base), structure(base)) == (before, names)


def test_a_target_may_be_one_layer_by_its_full_name():
    name = "model.layers.1.mlp.up_proj"
    inner = Lora(targets=[name]).apply(random_llama(), "causal_lm").get_base_model()
    assert [found for found, module in inner.named_modules() if hasattr(module, "lora_A")] == [name]


@pytest.mark.parametrize("dora", [False, True])
def test_layers_that_store_weights_transposed_get_adapters_too(dora):
    torch.manual_seed(0)
    base = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=1, n_head=2, n_positions=32)).eval()
    before, untuned = digest(base), outputs(base)
    strategy = Lora(rank=2, dora=dora)
    model = strategy.apply(base, "causal_lm")
    torch.testing.assert_close(outputs(model), untuned)
    train(model)
    assert not torch.allclose(outputs(model), untuned)
    assert digest(strategy.remove(model)) == before
    model = strategy.apply(base, "causal_lm")
    train(model)
    answers = outputs(model)
    torch.testing.assert_close(outputs(strategy.merged(model)), answers, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", BASES)
@pytest.mark.parametrize("settings", [{}, {"dora": True}, {"rslora": True}, {"dora": True, "rslora": True}])
def test_peft_loads_what_is_saved(head, settings, tmp_path):
    torch.manual_seed(3)
    model = Lora(**settings).apply(BASES[head](), head)
    train(model)
    Lora(**settings).save(model, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert json.loads((tmp_path / "adapter_config.json").read_text())["inference_mode"] is True
    assert model.peft_config["default"].inference_mode is False
    loaded = load_with_peft(BASES[head](), tmp_path)
    torch.testing.assert_close(outputs(loaded), outputs(model), rtol=1e-4, atol=1e-5)  # PEFT's layers are not ours


def load_with_peft(base, folder):
    with warnings.catch_warnings():  # PEFT itself asks transformers by a deprecated name
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        return PeftModel.from_pretrained(base, folder)


def test_saving_asks_no_hub(tmp_path, monkeypatch):
    def refuse(*_args, **_keywords):
        raise AssertionError("network")

    base = random_llama()
    base.name_or_path = base.config._name_or_path = "somebody/some-model"
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    strategy = Lora()
    strategy.save(strategy.apply(base, "causal_lm"), tmp_path)


def test_an_adapter_of_another_shape_is_refused(tmp_path):
    Lora(rank=4).save(Lora(rank=4).apply(random_llama(), "causal_lm"), tmp_path)
    for other in (Lora(rank=8), Lora(rank=4, targets=["q_proj"]), Lora(rank=4, dora=True)):
        with pytest.raises(ModelError, match="another rank"):
            other.restore(other.apply(random_llama(), "causal_lm"), tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"torn")
    with pytest.raises(ModelError, match="cannot be read"):
        Lora(rank=4).restore(Lora(rank=4).apply(random_llama(), "causal_lm"), tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        Lora(rank=4).restore(Lora(rank=4).apply(random_llama(), "causal_lm"), tmp_path / "nowhere")


@pytest.mark.parametrize("head", BASES)
@pytest.mark.parametrize("dora", [False, True])
def test_what_trains_is_float32_on_a_bfloat16_base(head, dora, tmp_path):
    base = BASES[head]().to(torch.bfloat16)
    before = digest(base)
    strategy = Lora(dora=dora)
    model = strategy.apply(base, head)
    trained = {weight.dtype for weight in model.parameters() if weight.requires_grad}
    frozen = {weight.dtype for weight in model.parameters() if not weight.requires_grad}
    assert (trained, frozen) == ({torch.float32}, {torch.bfloat16})
    train(model)
    assert outputs(model).isfinite().all()
    with torch.autocast("cpu", torch.bfloat16):
        model(**token_batch()).logits.float().mean().backward()
    strategy.save(model, tmp_path)
    assert {tensor.dtype for tensor in load_file(tmp_path / "adapter_model.safetensors").values()} == {torch.float32}
    assert digest(strategy.remove(model)) == before


def test_a_new_head_is_drawn_for_every_trial_and_a_trained_one_kept(tmp_path):
    def start(base, seed):
        strategy = Lora()
        torch.manual_seed(seed)
        model = strategy.apply(base, "sequence_classification")
        drawn = model.get_base_model().classifier.modules_to_save["default"].weight.detach().clone()
        strategy.remove(model)
        return drawn

    new = random_bert()
    assert torch.equal(start(new, 1), start(new, 1))
    assert not torch.equal(start(new, 1), start(new, 2))
    assert not torch.equal(start(new, 1), new.classifier.weight)
    new.save_pretrained(tmp_path)
    trained = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert torch.equal(start(trained, 1), trained.classifier.weight)


def test_a_pooler_that_no_file_brought_is_drawn_trained_and_kept(tmp_path):
    from transformers import BertConfig, BertForMaskedLM

    config = random_bert().config
    torch.manual_seed(0)
    BertForMaskedLM(BertConfig(**{**config.to_dict(), "architectures": None})).save_pretrained(tmp_path / "masked")
    bases = [AutoModelForSequenceClassification.from_pretrained(tmp_path / "masked", num_labels=3) for _ in range(2)]
    assert not torch.equal(bases[0].bert.pooler.dense.weight, bases[1].bert.pooler.dense.weight)
    torch.manual_seed(1)
    model = Lora().apply(bases[0].eval(), "sequence_classification")
    train(model)
    Lora().save(model, tmp_path / "adapter")
    other = Lora().apply(bases[1].eval(), "sequence_classification")
    Lora().restore(other, tmp_path / "adapter")
    assert torch.equal(outputs(other), outputs(model))


def test_a_real_encoder_serves_many_trials_unchanged():
    folder = shared_model("minilm")
    base = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=4, dtype=torch.float32).eval()
    before, names = digest(base), structure(base)
    for settings in ({}, {"dora": True}, {"rank": 2, "targets": ["query", "value"]}):
        strategy = Lora(**settings)
        model = strategy.apply(base, "sequence_classification")
        train(model)
        base = strategy.remove(model)
    assert (digest(base), structure(base)) == (before, names)


def shared_model(name: str) -> Path:
    shared = Path(os.environ.get("FTSWEEP_SHARED") or Path(__file__).parents[4] / "shared")
    if not (shared / "models" / name).is_dir():
        pytest.skip(f"needs models/{name} in the folder that FTSWEEP_SHARED names, or in ../shared")
    return shared / "models" / name
