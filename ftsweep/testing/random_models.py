"""Small models with random weights and the tokenizers that fit them: what contract tests need and no file brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ftsweep.models.base import Head

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
NUM_BYTES = 256


def byte_tokenizer(
    *, chat_template: str | None = None, extra: Sequence[str] = (), **settings: Any
) -> PreTrainedTokenizerBase:
    """One token per byte after `<pad>`, `<bos>` and `<eos>` (ids 0 to 2) and `extra` special tokens; nothing is added
    around a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = [PAD, BOS, EOS, *extra]
    vocabulary = {token: index for index, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        extra_special_tokens=list(extra),
        **{"model_max_length": 512, "padding_side": "right", **settings},
    )
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    return tokenizer


def random_llama(head: Head = "causal_lm", *, num_labels: int = 3, seed: int = 0, **settings: Any) -> PreTrainedModel:
    """A decoder of two layers for `byte_tokenizer`, in eval mode; `settings` go to its LlamaConfig."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, LlamaForTokenClassification

    config = LlamaConfig(
        **{
            "vocab_size": NUM_BYTES + 8,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "tie_word_embeddings": True,
            "initializer_range": 0.2,  # larger than usual: two layers of 0.02 barely tell inputs apart
            "num_labels": num_labels,
            "classifier_dropout": 0.0,
            **settings,
        }
    )
    classes: dict[Head, Any] = {
        "causal_lm": LlamaForCausalLM,
        "sequence_classification": LlamaForSequenceClassification,
        "token_classification": LlamaForTokenClassification,
    }
    torch.manual_seed(seed)
    model: PreTrainedModel = classes[head](config).eval()
    return model


def random_bert(head: Head = "sequence_classification", *, num_labels: int = 3, seed: int = 0) -> PreTrainedModel:
    """An encoder of two layers for `byte_tokenizer`, without dropout, in eval mode."""
    import torch
    from transformers import (
        BertConfig,
        BertForMaskedLM,
        BertForSequenceClassification,
        BertForTokenClassification,
    )

    config = BertConfig(
        vocab_size=NUM_BYTES + 8,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=0,
        initializer_range=0.2,
        num_labels=num_labels,  # type: ignore[call-arg]  # of the base class, through **kwargs
    )
    classes: dict[Head, Any] = {
        "masked_lm": BertForMaskedLM,
        "sequence_classification": BertForSequenceClassification,
        "token_classification": BertForTokenClassification,
    }
    torch.manual_seed(seed)
    model: PreTrainedModel = classes[head](config).eval()
    return model
