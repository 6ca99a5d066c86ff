"""Texts as parts of a prompt: cut to a number of tokens, continued by other texts, and checked against the context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftsweep.errors import ConfigError, FtsweepError, ModelError
from ftsweep.tasks.encoding.tokens import token_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ANCHOR = "a"
"""Stands for the text before a continuation where that differs from row to row: a letter joins with no white space."""


class PromptTooLongError(FtsweepError):
    """The demonstrations leave no room for a row in the model's context."""


def check_context(num_before: int, num_row: int, *, k: int, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise PromptTooLongError, with the numbers, when both together are more tokens than the model takes."""
    limit = tokenizer.model_max_length
    if num_before + num_row > limit:
        raise PromptTooLongError(
            f"a prompt of {k} demonstrations does not fit: {num_before} tokens of demonstrations and template and up "
            f"to {num_row} of a row and its answer are {num_before + num_row}, and this model takes {limit}",
            where="strategy.k",
            remedy="Lower strategy.k, strategy.max_demonstration_tokens or task.max_length.",
        )


def check_tokenizer(tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ModelError for a tokenizer that cannot say which characters a token stands for."""
    if not tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer {type(tokenizer).__name__} cannot tell which characters a token stands for",
            remedy="Use a model that comes with a tokenizer.json",
        )


def start_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What the tokenizer puts before a text (a start token), and nothing of what it puts behind."""
    first = tokenizer(ANCHOR)["input_ids"][0]
    return [first] if first == tokenizer.bos_token_id else []


def continuation_ids(tokenizer: PreTrainedTokenizerBase, before: str, text: str, *, where: str) -> list[int]:
    """The tokens of `text` where it follows `before`.

    Raises:
        ConfigError: a token would reach over the border, so that the answer does not begin with a token of its own.
    """
    known, whole = token_ids(tokenizer, [before, before + text], special=False)
    if whole[: len(known)] != known:
        raise ConfigError(
            f"the tokenizer joins the end of {before!r} with the beginning of {text!r}",
            where=where,
            remedy="Put a space or a line end before the answer.",
        )
    return whole[len(known) :]


def cut_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int) -> list[str]:
    """The texts with at most `max_tokens` tokens together; the longer ones lose their ends."""
    encoded = tokenizer(
        list(texts),
        add_special_tokens=False,
        return_attention_mask=False,
        return_offsets_mapping=True,
        verbose=False,
    )["offset_mapping"]
    allowed = _shares([len(offsets) for offsets in encoded], max_tokens)
    return [
        text if share >= len(offsets) else text[: offsets[share - 1][1] if share else 0]
        for text, offsets, share in zip(texts, encoded, allowed, strict=True)
    ]


def _shares(lengths: Sequence[int], total: int) -> list[int]:
    """What remains of each length when the longest are shortened until all are `total` together."""
    shares = list(lengths)
    left = total
    for place, index in enumerate(sorted(range(len(shares)), key=lambda index: shares[index])):
        shares[index] = min(shares[index], left // (len(shares) - place))
        left -= shares[index]
    return shares
