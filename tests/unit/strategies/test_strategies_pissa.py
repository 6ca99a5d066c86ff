from __future__ import annotations

import json

import pytest
import torch
from test_strategies_lora import load_with_peft
from transformers import GPT2Config, GPT2LMHeadModel

from ftsweep.errors import ConfigError, ModelError
from ftsweep.strategies.lora import Lora
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.testing.weights import digest, outputs, token_batch, train


def small_gpt2():
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=2, n_positions=32, initializer_range=0.2)
    ).eval()


BASES = {
    "causal_lm": (random_llama, "causal_lm"),
    "transposed": (small_gpt2, "causal_lm"),
    "sequence_classification": (random_bert, "sequence_classification"),
    "token_classification": (lambda: random_llama("token_classification"), "token_classification"),
}


@pytest.mark.parametrize("kind", BASES)
@pytest.mark.parametrize("rslora", [False, True])
def test_exported_adapter_on_the_untouched_base_is_the_trained_model(kind, rslora, tmp_path):
    make, head = BASES[kind]
    strategy = Lora(rank=3, init="pissa", rslora=rslora)
    torch.manual_seed(3)
    model = strategy.apply(make(), head)
    train(model)
    strategy.save(model, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["init_lora_weights"]) == (6, True), "an ordinary LoRA of twice the rank"
    loaded = load_with_peft(make(), tmp_path)
    torch.testing.assert_close(outputs(loaded), outputs(model), rtol=1e-5, atol=1e-5)


def test_training_is_that_of_the_paper_whose_base_is_the_residual():
    """PEFT's own PiSSA: the principal part is taken out of the base, and what trains is the adapter alone."""
    from peft import LoraConfig, get_peft_model

    ours = Lora(rank=4, init="pissa").apply(random_llama(), "causal_lm")
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights="pissa", task_type="CAUSAL_LM"
    )
    with pytest.warns(FutureWarning):  # PEFT asks transformers by a deprecated name
        theirs = get_peft_model(random_llama(), config)
    gradients = []
    for model in (ours, theirs):
        torch.testing.assert_close(outputs(model), outputs(random_llama()), rtol=1e-4, atol=1e-4)
        model(**token_batch()).logits.square().mean().backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-3, atol=1e-4, msg=name)


def test_the_adapter_starts_as_the_largest_directions_of_the_weight():
    base = random_llama()
    weight = base.model.layers[0].mlp.up_proj.weight.detach().clone()
    layer = Lora(rank=4, init="pissa").apply(base, "causal_lm").get_base_model().model.layers[0].mlp.up_proj
    part = layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    torch.testing.assert_close(part, (left[:, :4] * values[:4]) @ right[:4], rtol=1e-4, atol=1e-4)


def test_the_base_is_not_written_to_while_it_trains():
    base = random_llama().to(torch.bfloat16)
    before, storage = digest(base), base.model.layers[0].mlp.up_proj.weight.data_ptr()
    strategy = Lora(rank=4, init="pissa")
    model = strategy.apply(base, "causal_lm")
    frozen = {name: weight for name, weight in model.named_parameters() if "base_layer" in name}
    train(model)
    assert frozen["base_model.model.model.layers.0.mlp.up_proj.base_layer.weight"].data_ptr() == storage
    assert digest(strategy.remove(model)) == before


def test_a_merged_model_answers_alike():
    for make, head in BASES.values():
        strategy = Lora(rank=3, init="pissa")
        torch.manual_seed(1)
        model = strategy.apply(make(), head)
        train(model)
        answers = outputs(model)
        torch.testing.assert_close(outputs(strategy.merged(model)), answers, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"^strategy\.init: .*DoRA"):
        Lora(init="pissa", dora=True)
    with pytest.raises(ConfigError, match=r"^strategy\.init: must be one of default, pissa"):
        Lora(init="olora")
    with pytest.raises(ConfigError, match=r"^strategy\.rank: pissa finds 16 directions .* not 17"):
        Lora(rank=17, init="pissa").apply(random_llama(), "causal_lm")
    Lora(rank=4).save(Lora(rank=4).apply(random_llama(), "causal_lm"), tmp_path)
    strategy = Lora(rank=4, init="pissa")
    with pytest.raises(ModelError, match="no PiSSA adapter"):
        strategy.restore(strategy.apply(random_llama(), "causal_lm"), tmp_path)
