"""Loads tokenizers for every source, ready to pad and with the length that the model takes."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING

from ftsweep.models.origin import Origin, failures_told, load_config, quiet
from ftsweep.models.positions import num_positions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

_USUAL_ENDS = ("</s>", "<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "<eos>", "<end_of_turn>")
_USUAL_PADDING = ("<pad>", "[PAD]", "<|pad|>", "<unk>", "[UNK]")


def load_tokenizer(origin: Origin) -> PreTrainedTokenizerBase:
    """A model's tokenizer; its `model_max_length` is at most what the model has positions for.

    It pads and cuts on the right. One without a padding token pads with its end token, and the log says so.
    """
    tokenizer = read_tokenizer(origin)
    limit = num_positions(load_config(origin))
    if limit is not None:  # many tokenizers are saved without theirs
        tokenizer.model_max_length = min(tokenizer.model_max_length, limit)
    return tokenizer


def read_tokenizer(origin: Origin) -> PreTrainedTokenizerBase:
    """As `load_tokenizer`, of a folder that need not hold a model."""
    from transformers import AutoTokenizer

    with failures_told(origin, "tokenizer"), quiet():
        tokenizer = AutoTokenizer.from_pretrained(**origin.arguments())
    if len(tokenizer) == 0:
        raise origin.error("the tokenizer has no vocabulary", "Put the tokenizer's files (tokenizer.json) beside it.")
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is None:
            raise origin.error(
                "the tokenizer has neither a padding token nor an end token",
                f"Name one of its own tokens in tokenizer_config.json{_example(tokenizer)}.",
            )
        tokenizer.pad_token = tokenizer.eos_token
        logger.info("%s: no padding token; padding with the end token %r", origin.where, tokenizer.eos_token)
    tokenizer.padding_side = tokenizer.truncation_side = "right"  # whatever it was saved with, for generating perhaps
    return tokenizer


def splitting_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Of how plain text becomes tokens: models for which it is the same predict the same tokens. Special tokens, which
    chat models have more of, are left out.
    """
    if tokenizer.is_fast:
        whole = json.loads(tokenizer.backend_tokenizer.to_str())
        vocabulary, added = whole["model"].pop("vocab"), {each["content"] for each in whole["added_tokens"]}
        if isinstance(vocabulary, dict):  # token to id, and ids do not matter
            tokens = sorted(set(vocabulary) - added)
        else:  # pairs of a token and its score
            tokens = [pair for pair in vocabulary if pair[0] not in added]
        parts = [whole["normalizer"], whole["pre_tokenizer"], whole["model"], tokens]
    else:
        parts = sorted(set(tokenizer.get_vocab()) - set(tokenizer.get_added_vocab()))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _example(tokenizer: PreTrainedTokenizerBase) -> str:
    """How a setting would read that this tokenizer can have: a token that is not its own would need an embedding."""
    vocabulary = tokenizer.get_vocab()
    for setting, usual in (("eos_token", _USUAL_ENDS), ("pad_token", _USUAL_PADDING)):
        token = next((token for token in usual if token in vocabulary), None)
        if token is not None:
            return f', e.g. {{"{setting}": "{token}"}}'
    return ' as "eos_token" or "pad_token"'
