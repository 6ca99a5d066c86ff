"""Loads tokenizers for every source, ready to pad and with the length that the model takes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ftsweep.models.origin import Origin, failures_told, load_config, quiet
from ftsweep.models.positions import num_positions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)


def load_tokenizer(origin: Origin) -> PreTrainedTokenizerBase:
    """A model's tokenizer, padding on the right; its `model_max_length` is at most what the model has positions for.

    One without a padding token pads with its end token, and the log says so.
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
                'Name one in tokenizer_config.json, e.g. "pad_token": "<pad>".',
            )
        tokenizer.pad_token = tokenizer.eos_token
        logger.info("%s: no padding token; padding with the end token %r", origin.where, tokenizer.eos_token)
    tokenizer.padding_side = "right"
    return tokenizer
