from __future__ import annotations

import pytest
import torch
from test_strategies_lora import load_with_peft
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    IBertConfig,
    IBertForSequenceClassification,
    Lfm2Config,
    Lfm2ForCausalLM,
    LongformerConfig,
    LongformerForSequenceClassification,
    MambaConfig,
    MambaForCausalLM,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    Qwen3Config,
    Qwen3ForCausalLM,
    XLMConfig,
    XLMForSequenceClassification,
)

from ftsweep.errors import ConfigError
from ftsweep.strategies.base import check_length
from ftsweep.strategies.ia3 import Ia3
from ftsweep.strategies.lora import Lora
from ftsweep.strategies.prefix_tuning import PrefixTuning
from ftsweep.strategies.prompt_tuning import PromptTuning
from ftsweep.tasks.instruction import Instruction
from ftsweep.tasks.text import Text
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama
from ftsweep.testing.weights import digest, outputs, structure, token_batch, train

STRATEGIES = [PromptTuning, PrefixTuning]
SMALL = {
    "vocab_size": 264,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "pad_token_id": 0,
    "num_labels": 3,
    "initializer_range": 0.2,
}


def small(cls, config, **settings):
    torch.manual_seed(0)
    return cls(config(**settings)).eval()


def small_qwen():
    """Heads that are wider than hidden_size / num_attention_heads, and fewer of them for keys."""
    return small(Qwen3ForCausalLM, Qwen3Config, **SMALL, num_key_value_heads=2, head_dim=16)


def small_gpt2(cls=GPT2LMHeadModel, **settings):
    sizes = {"vocab_size": 264, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
    return small(cls, GPT2Config, **sizes, pad_token_id=0, initializer_range=0.2, **settings)


CAUSAL = [random_llama, small_qwen, small_gpt2]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"num_virtual_tokens": 0}, "num_virtual_tokens"),
        ({"num_virtual_tokens": 2.0}, "num_virtual_tokens"),
        ({"init": "text"}, "init"),
    ],
)
def test_a_setting_without_meaning_is_refused_by_its_key(strategy, settings, key):
    with pytest.raises(ConfigError, match=rf"^strategy\.{key}: "):
        strategy(**settings)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("make", CAUSAL)
def test_it_starts_as_the_base_behind_a_text_of_drawn_tokens(strategy, make, monkeypatch):
    base = make()
    drawn = torch.tensor([40, 7, 200, 13, 99])
    monkeypatch.setattr(torch, "randint", lambda *_args, **_keywords: drawn)
    batch = token_batch()
    with torch.no_grad():
        text = torch.cat([drawn.expand(3, -1), batch["input_ids"]], dim=1)
        expected = base(input_ids=text).logits[:, 5:]
    model = strategy(num_virtual_tokens=5).apply(base, "causal_lm")
    torch.testing.assert_close(outputs(model), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_task_s_loss_is_that_of_all_logits(strategy):
    """The task narrows the output layer's input to supervised positions, which virtual tokens would shift."""
    torch.manual_seed(1)
    model = strategy(num_virtual_tokens=5).apply(random_llama(), "causal_lm")
    batch = token_batch()
    batch["attention_mask"][1, 5:] = 0
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    labels[:, :3] = -100
    losses, _ = Instruction().losses(model, {**batch, "labels": labels})
    logits = outputs_of(model, batch)[:, :-1]
    naive = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none").sum(dim=1)
    torch.testing.assert_close(losses, naive, rtol=1e-5, atol=1e-5)


def test_a_prompt_takes_ids_without_their_name():
    """As lm-eval gives them."""
    torch.manual_seed(0)
    model = PromptTuning(num_virtual_tokens=4).apply(random_llama(), "causal_lm")
    ids, mask = torch.tensor([[5, 6, 7, 0]]), torch.tensor([[1, 1, 1, 0]])
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, model(input_ids=ids).logits)
        named = model(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(model(ids, mask).logits, named)


def outputs_of(model, batch):
    with torch.no_grad():
        return model(**batch).logits


@pytest.mark.parametrize(
    "make",
    [lambda: random_llama("sequence_classification"), lambda: small_gpt2(GPT2ForSequenceClassification, num_labels=3)],
)
def test_a_decoder_classifies_by_the_last_real_token(make):
    """Given embeddings, transformers takes the last position, padding or not."""
    torch.manual_seed(1)
    strategy = PromptTuning(num_virtual_tokens=5)
    model = strategy.apply(make(), "sequence_classification").eval()
    batch = token_batch()
    batch["input_ids"][1, 5:], batch["attention_mask"][1, 5:] = 0, 0
    base = model.get_base_model()
    with torch.no_grad():
        prompt = model.prompt_encoder["default"].embedding.weight
        text = base.get_input_embeddings()(batch["input_ids"][1:2, :5])
        body = getattr(base, base.base_model_prefix)
        hidden = body(inputs_embeds=torch.cat([prompt[None], text], dim=1)).last_hidden_state
        expected = base.score.modules_to_save["default"](hidden[:, -1])
    torch.testing.assert_close(outputs_of(model, batch)[1:2], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("make", [random_llama, small_qwen])
def test_answers_do_not_depend_on_the_batch_they_are_written_in(strategy, make):
    tokenizer = byte_tokenizer()
    torch.manual_seed(1)
    model = strategy(num_virtual_tokens=5).apply(make(), "causal_lm").eval()
    task = Instruction(max_new_tokens=6)
    prompts = [[5, 6, 7, 8, 9, 10], [11, 12, 13], [14], [40, 41, 42]]
    together = task.generate(model, tokenizer, prompts, 8)
    assert together == [task.generate(model, tokenizer, [prompt], 1)[0] for prompt in prompts]
    written = list(prompts[1])
    for _ in range(6):
        ids = torch.tensor([written])
        written.append(
            int(outputs_of(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})[0, -1].argmax())
        )
    expected = tokenizer.decode(written[3:], skip_special_tokens=True).strip()
    assert together[1]["completion"] == expected.partition(tokenizer.eos_token)[0]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("make", "head"),
    [
        (random_llama, "causal_lm"),
        (lambda: random_llama("sequence_classification"), "sequence_classification"),
        (lambda: random_bert(), "sequence_classification"),
        (lambda: random_bert("token_classification"), "token_classification"),
    ],
)
def test_peft_loads_what_is_saved(strategy, make, head, tmp_path):
    torch.manual_seed(3)
    model = strategy(num_virtual_tokens=4).apply(make(), head)
    train(model)
    strategy(num_virtual_tokens=4).save(model, tmp_path)
    loaded = outputs(load_with_peft(make(), tmp_path))
    own = outputs(model)
    real = loaded[:, -own.shape[1] :] if head != "sequence_classification" else loaded  # PEFT's have virtual ones too
    torch.testing.assert_close(real, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_trains_is_float32_on_a_bfloat16_base(strategy):
    for make, head in ((random_llama, "causal_lm"), (random_bert, "sequence_classification")):
        base = make().to(torch.bfloat16)
        before = digest(base)
        model = strategy(num_virtual_tokens=4).apply(base, head)
        assert {weight.dtype for weight in model.parameters() if weight.requires_grad} == {torch.float32}
        with torch.autocast("cpu", torch.bfloat16):
            train(model)
            assert outputs(model).isfinite().all()
        assert digest(strategy(num_virtual_tokens=4).remove(model)) == before


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_mixed_precision_trains_on_a_float32_base(strategy):
    model = strategy(num_virtual_tokens=4).apply(random_llama(), "causal_lm")
    plain = outputs(model)
    with torch.autocast("cpu", torch.bfloat16):
        train(model)
    assert not torch.allclose(outputs(model), plain)


def test_models_that_cannot_are_refused_and_left_alone():
    distil = small(
        DistilBertForSequenceClassification,
        DistilBertConfig,
        vocab_size=64,
        dim=32,
        hidden_dim=64,
        n_layers=1,
        n_heads=2,
    )
    modern = small(ModernBertForSequenceClassification, ModernBertConfig, **SMALL | {"num_hidden_layers": 1})
    sizes = {"emb_dim": 32, "n_layers": 1, "n_heads": 2, "n_langs": 1}
    own_cache = small(XLMForSequenceClassification, XLMConfig, vocab_size=64, **sizes)
    for base in (distil, modern, own_cache):
        before = digest(base), structure(base)
        with pytest.raises(ConfigError, match=r"^strategy: the head of .*prompt_tuning"):
            PrefixTuning().apply(base, "sequence_classification")
        assert (digest(base), structure(base)) == before
    PromptTuning().apply(distil, "sequence_classification")
    longformer = small(LongformerForSequenceClassification, LongformerConfig, **SMALL, attention_window=8)
    with pytest.raises(ConfigError, match=r"takes no embeddings in the place of token ids.*strategy=lora"):
        PromptTuning().apply(longformer, "sequence_classification")
    backbone_without_cache = small_gpt2()
    backbone_without_cache.transformer.forward = lambda input_ids, attention_mask: None
    with pytest.raises(ConfigError, match=r"take no keys and values"):
        PrefixTuning().apply(backbone_without_cache, "causal_lm")
    sizes = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
    kinds = ["conv", "full_attention"]
    with_convolutions = Lfm2ForCausalLM(
        Lfm2Config(**sizes, num_key_value_heads=2, num_hidden_layers=2, layer_types=kinds)
    )
    with pytest.raises(ConfigError, match=r"take no keys and values"):
        PrefixTuning().apply(with_convolutions, "causal_lm")


@pytest.mark.parametrize("strategy", [Lora, Ia3, PromptTuning])
def test_a_model_of_quantised_layers_is_refused_with_what_it_can_do(strategy):
    base = small(IBertForSequenceClassification, IBertConfig, **SMALL | {"num_hidden_layers": 1})
    before = digest(base), structure(base)
    with pytest.raises(ConfigError, match=r"IBertForSequenceClassification.*Choose strategy=full"):
        strategy().apply(base, "sequence_classification")
    assert (digest(base), structure(base)) == before


def test_a_model_without_attention_takes_a_prompt():
    base = MambaForCausalLM(MambaConfig(vocab_size=64, hidden_size=16, state_size=4, num_hidden_layers=1))
    before, ids = digest(base), torch.ones(1, 3, dtype=torch.long)
    model = PromptTuning(num_virtual_tokens=2).apply(base, "causal_lm")
    assert model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.shape == (1, 3, 64)
    assert digest(PromptTuning(num_virtual_tokens=2).remove(model)) == before


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_inputs_must_fit_behind_the_virtual_tokens(strategy):
    tokenizer = byte_tokenizer(model_max_length=64)
    check_length(strategy(num_virtual_tokens=4), Instruction(max_length=60), tokenizer)
    with pytest.raises(
        ConfigError, match=r"num_virtual_tokens: 5 virtual tokens and inputs of 60 .* task.max_length=59"
    ):
        check_length(strategy(num_virtual_tokens=5), Instruction(max_length=60), tokenizer)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_packed_blocks_are_refused(strategy):
    strategy().check_task(Text(packed=False))
    strategy().check_task(Instruction())
    with pytest.raises(ConfigError, match=r"^task\.packed: .*packed=false"):
        strategy().check_task(Text())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("head", ["sequence_classification", "token_classification"])
def test_segments_of_a_pair_reach_an_encoder(strategy, head):
    torch.manual_seed(1)
    model = strategy(num_virtual_tokens=5).apply(random_bert(head), head).eval()
    batch = token_batch()
    batch["input_ids"][1, 5:], batch["attention_mask"][1, 5:] = 0, 0
    segments = torch.zeros_like(batch["input_ids"])
    segments[:, 3:] = 1
    paired = outputs_of(model, {**batch, "token_type_ids": segments})
    alone = {name: tensor[1:2, :5] for name, tensor in {**batch, "token_type_ids": segments}.items()}
    real = paired[1:2] if head == "sequence_classification" else paired[1:2, :5]
    torch.testing.assert_close(real, outputs_of(model, alone), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(paired, outputs_of(model, batch))
