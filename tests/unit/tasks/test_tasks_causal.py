from __future__ import annotations

import math

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Gemma2Config, Gemma2ForCausalLM, GraniteConfig, GraniteForCausalLM

from ftsweep.tasks import causal
from ftsweep.tasks.base import IGNORED
from ftsweep.tasks.instruction import Instruction
from ftsweep.testing.random_models import random_llama

TASK = Instruction()

SMALL = {
    "vocab_size": 264,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.5,
    "pad_token_id": 0,
}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(3, 250, (3, 12), generator=generator)
    attention_mask = torch.ones_like(input_ids)
    attention_mask[1, 9:] = 0
    labels = input_ids.clone()
    labels[0, :5] = IGNORED
    labels[1, 9:] = IGNORED
    labels[2, 3:7] = IGNORED
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def softcapped():
    torch.manual_seed(0)
    return Gemma2ForCausalLM(Gemma2Config(**SMALL, final_logit_softcapping=2.0)).eval()


def scaled():
    torch.manual_seed(0)
    return GraniteForCausalLM(GraniteConfig(**SMALL, logits_scaling=3.0)).eval()


def adapted():
    config = LoraConfig(target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    return get_peft_model(random_llama(tie_word_embeddings=False), config).eval()


def with_adapted_output():
    config = LoraConfig(target_modules=["lm_head"], init_lora_weights=False, task_type="CAUSAL_LM")
    return get_peft_model(random_llama(tie_word_embeddings=False), config).eval()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # inside PEFT
@pytest.mark.parametrize("make", [random_llama, softcapped, scaled, adapted, with_adapted_output])
def test_the_loss_is_that_of_transformers(make, batch):
    model = make()
    losses, _ = TASK.losses(model, batch)
    mean = losses.sum() / TASK.row_units(batch["labels"]).sum()
    expected = model(**batch)
    assert mean.item() == pytest.approx(expected.loss.item(), rel=1e-6)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    mine = torch.autograd.grad(mean, trained, allow_unused=True)
    theirs = torch.autograd.grad(expected.loss, trained, allow_unused=True)
    for gradient, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-4, atol=1e-6)


def test_token_accuracy_is_the_share_of_right_guesses(batch):
    model, tally = random_llama(), TASK.tally({})
    guesses = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.argmax(-1)[:, :-1]
    batch["labels"][0, 8:] = guesses[0, 7:]  # some hits: a random model has none by itself
    counted = batch["labels"][:, 1:] != IGNORED
    hits = (guesses == batch["labels"][:, 1:])[counted]
    tally.add(*TASK.losses(model, batch), batch)
    assert hits.sum() >= 4
    assert tally.values()["token_accuracy"] == pytest.approx(hits.float().mean().item())


def test_logits_are_computed_where_something_is_learned_only(batch):
    model, seen = random_llama(), []
    model.lm_head.register_forward_hook(lambda module, args, output: seen.append(tuple(output.shape)))
    TASK.losses(model, batch)
    assert seen == [(1, int(TASK.row_units(batch["labels"]).sum()), model.config.vocab_size)]


def test_large_logits_are_scored_in_parts_with_the_same_result(batch, monkeypatch):
    model = random_llama()
    whole, hits = TASK.losses(model, batch)
    whole.sum().backward()
    gradients = [weight.grad.clone() for weight in model.parameters()]
    model.zero_grad()
    num_parts, score_part = [], causal._score_part
    monkeypatch.setattr(causal, "MAX_LOGITS_AT_ONCE", 5 * model.config.vocab_size)
    monkeypatch.setattr(causal, "_score_part", lambda *part: num_parts.append(len(part[0])) or score_part(*part))
    parts, hits_of_parts = TASK.losses(model, batch)
    assert num_parts[:2] == [5, 5]
    assert len(num_parts) > 3
    torch.testing.assert_close(parts, whole)
    assert torch.equal(hits_of_parts, hits)
    parts.sum().backward()
    for weight, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-5)


def test_a_failed_forward_leaves_no_hook_behind(batch):
    model = random_llama()
    with pytest.raises(IndexError):
        TASK.losses(model, {**batch, "input_ids": batch["input_ids"] + 1000})
    assert not model.lm_head._forward_pre_hooks


def test_a_first_label_has_nothing_to_be_predicted_from():
    labels = torch.tensor([[5, 6, IGNORED], [7, IGNORED, 8]])
    assert TASK.row_units(labels).sum().item() == 2
    assert TASK.batch_extras(labels)["supervised"].tolist() == [1, 5]


def test_a_batch_without_anything_to_learn_costs_nothing(batch):
    labels = torch.full_like(batch["labels"], IGNORED)
    losses, hits = TASK.losses(random_llama(), {**batch, "labels": labels})
    assert (losses.tolist(), hits.item()) == ([0.0] * len(labels), 0)
    losses.sum().backward()


def test_nothing_tallied_has_no_score():
    assert all(math.isnan(value) for value in TASK.tally({}).values().values())


@pytest.mark.parametrize(("loss", "expected"), [(0.0, 1.0), (2.0, math.exp(2)), (1e4, math.inf), (math.inf, math.inf)])
def test_perplexity_never_overflows(loss, expected):
    assert causal.perplexity(loss) == expected


def test_only_values_waits_for_the_device(batch, refuse_waiting):
    tally = TASK.tally({})
    with refuse_waiting:
        for _ in range(2):
            tally.add(torch.tensor([1.0, 2.0]), torch.tensor(2), batch)
    num_tokens = 2 * int(TASK.row_units(batch["labels"]).sum())
    assert tally.values()["loss"] == pytest.approx(6 / num_tokens)


def test_extras_spare_the_wait_for_the_device(batch, refuse_waiting):
    model, extras = random_llama(), TASK.batch_extras(batch["labels"])
    batch["attention_mask"].fill_(1)
    whole = {**batch, **extras}
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    hidden = torch.zeros(*batch["input_ids"].shape, 32)

    def forward(**_inputs):
        """A model without transformers' own waits (it reads the mask)."""
        for hook in model.lm_head._forward_pre_hooks.values():
            assert hook(model.lm_head, (hidden,))[0].shape[1] == len(extras["supervised"])
        return type("Output", (), {"logits": logits.flatten(0, 1)[extras["supervised"] - 1].unsqueeze(0)})

    forward.get_output_embeddings = model.get_output_embeddings
    with refuse_waiting:
        losses, _ = TASK.losses(forward, whole)
    assert losses.tolist() == pytest.approx(TASK.losses(model, batch)[0].tolist(), rel=1e-5)
