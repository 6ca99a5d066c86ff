from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from ftsweep.errors import ModelError
from ftsweep.strategies.base import parameter_groups
from ftsweep.strategies.full import Full
from ftsweep.testing.random_models import random_bert, random_llama
from ftsweep.testing.weights import outputs, train


@pytest.mark.parametrize(
    ("make", "head", "auto"),
    [
        (random_llama, "causal_lm", AutoModelForCausalLM),
        (lambda: random_llama(tie_word_embeddings=False), "causal_lm", AutoModelForCausalLM),
        (random_bert, "sequence_classification", AutoModelForSequenceClassification),
    ],
)
def test_transformers_loads_what_is_saved(make, head, auto, tmp_path, capfd):
    model = Full().apply(make(), head)
    train(model)
    capfd.readouterr()
    Full().save(model, tmp_path)
    assert capfd.readouterr() == ("", ""), "a progress bar"
    torch.testing.assert_close(outputs(auto.from_pretrained(tmp_path)), outputs(model), rtol=0, atol=0)


def test_everything_trains():
    model = Full().apply(random_llama(), "causal_lm")
    assert all(weight.requires_grad for weight in model.parameters())


def test_tied_weights_stay_tied_when_restored(tmp_path):
    model = Full().apply(random_llama(), "causal_lm")
    train(model)
    Full().save(model, tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    other = Full().apply(random_llama(seed=5), "causal_lm")
    Full().restore(other, tmp_path)
    assert other.lm_head.weight is other.model.embed_tokens.weight
    assert torch.equal(outputs(other), outputs(model))


def test_weights_of_another_model_are_refused(tmp_path):
    Full().save(Full().apply(random_llama(), "causal_lm"), tmp_path)
    for other, head in ((random_bert(), "sequence_classification"), (random_llama(hidden_size=16), "causal_lm")):
        with pytest.raises(ModelError, match=r"model\.safetensors"):
            Full().restore(Full().apply(other, head), tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        Full().restore(Full().apply(random_llama(), "causal_lm"), tmp_path / "nowhere")


def test_a_new_head_is_drawn_and_the_backbone_kept():
    base = random_bert()
    backbone = {name: tensor.clone() for name, tensor in base.bert.state_dict().items()}
    heads = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        Full().apply(base, "sequence_classification")
        heads.append(base.classifier.weight.detach().clone())
    assert torch.equal(heads[0], heads[2])
    assert not torch.equal(heads[0], heads[1])
    assert all(torch.equal(tensor, backbone[name]) for name, tensor in base.bert.state_dict().items())


def test_biases_and_norms_do_not_decay():
    model = Full().apply(random_bert(), "sequence_classification")
    decayed, kept = parameter_groups(model, Full(), 0.1)
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert all("bias" not in names[id(weight)] and "LayerNorm" not in names[id(weight)] for weight in decayed["params"])
    assert all(names[id(weight)].endswith(("bias", "LayerNorm.weight")) for weight in kept["params"])


def test_no_group_is_empty():
    model = random_bert().requires_grad_(False)
    assert parameter_groups(model, Full(), 0.1) == []
    model.classifier.bias.requires_grad_(True)
    assert [len(group["params"]) for group in parameter_groups(model, Full(), 0.1)] == [1]
