"""Which tokens of a text are hidden from an encoder: the same ones whenever it is measured, others whenever it learns.

An encoded example is masked already, by a draw that depends on its length alone. Its labels hold the hidden tokens, so
that training can put them back and draw others. A document's first token is labelled START, by which packed ones are
told apart; it is never hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ftsweep.errors import ModelError
from ftsweep.tasks.base import IGNORED

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

START = -101
"""The label of a document's first token; as IGNORED, it is not learned."""

MEASURED_SHARE = 0.15
"""Of a document's tokens, hidden when it is measured."""

_SEED = 0x3A5C


class Masking:
    """Draws with one tokenizer's mask token, its vocabulary and what it says of words."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Raises ModelError when the tokenizer has no mask token."""
        if tokenizer.mask_token_id is None:
            raise ModelError(
                "the tokenizer has no mask token, so no word can be hidden from the model",
                where="model",
                remedy="Choose an encoder (model=modernbert_base), or task=text for a decoder.",
            )
        self.mask_id = int(tokenizer.mask_token_id)
        self.special = np.zeros(len(tokenizer), bool)
        self.special[[number for number in tokenizer.all_special_ids if number < len(tokenizer)]] = True
        self._plain = np.flatnonzero(~self.special)
        self._tokenizer = tokenizer
        self._continues: np.ndarray | None = None

    def measured(self, ids: Sequence[int]) -> tuple[list[int], list[int]] | None:
        """A document with a seventh of its tokens hidden, at least one, and its labels; None where none can be."""
        places = np.flatnonzero(~self.special[np.asarray(ids)])
        places = places[places > 0]
        if not len(places):
            return None
        number = max(1, round(MEASURED_SHARE * len(places)))
        chosen = set(np.random.default_rng([_SEED, len(ids)]).choice(places, size=number, replace=False).tolist())
        hidden = [self.mask_id if place in chosen else token for place, token in enumerate(ids)]
        return hidden, [START, *(token if place in chosen else IGNORED for place, token in enumerate(ids) if place)]

    def redrawn(
        self,
        input_ids: np.ndarray,
        labels: np.ndarray,
        generator: np.random.Generator,
        *,
        share: float,
        whole_words: bool,
    ) -> tuple[np.ndarray, np.ndarray]:
        """An encoded example with other tokens to tell: of these 80 % are hidden, 10 % random ones, 10 % left."""
        ids = np.where(labels >= 0, labels, input_ids)
        is_start = labels == START
        may_hide = ~self.special[ids] & ~is_start
        number = max(1, round(share * int(may_hide.sum())))
        chosen = _words_drawn(self._word_numbers(ids, is_start), may_hide, number, generator) if whole_words else None
        if chosen is None:
            chosen = generator.choice(np.flatnonzero(may_hide), size=number, replace=False)
        new_labels = np.where(is_start, START, IGNORED).astype(labels.dtype)
        new_labels[chosen] = ids[chosen]
        fate = generator.random(len(chosen))
        new_ids = ids.astype(input_ids.dtype, copy=True)
        new_ids[chosen[fate < 0.8]] = self.mask_id
        random_ones = chosen[fate >= 0.9]
        new_ids[random_ones] = generator.choice(self._plain, size=len(random_ones))
        return new_ids, new_labels

    def _word_numbers(self, ids: np.ndarray, is_start: np.ndarray) -> np.ndarray:
        """Each token's word, counted from 1; a token goes on with a word unless its own text begins one."""
        if self._continues is None:
            self._continues = continuing_tokens(self._tokenizer)
        is_first = ~self._continues[ids] | is_start | self.special[ids]
        is_first[1:] |= is_start[:-1] | self.special[ids[:-1]]
        return np.cumsum(is_first)


def _words_drawn(words: np.ndarray, may_hide: np.ndarray, number: int, generator: np.random.Generator) -> np.ndarray:
    """Places of whole words in a random order, until there are at least `number` tokens; [tokens], ascending."""
    order = generator.permutation(np.unique(words[may_hide]))
    sizes = np.bincount(words[may_hide], minlength=words.max() + 1)[order]
    num_words = int(np.searchsorted(np.cumsum(sizes), number)) + 1
    return np.flatnonzero(may_hide & np.isin(words, order[:num_words]))


def continuing_tokens(tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """Which tokens of the vocabulary go on with the word before them, bool [vocabulary].

    Of WordPiece those with "##"; of byte-level and SentencePiece vocabularies those that do not begin with a space.
    """
    texts = [str(text) for text in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))]
    if any(text.startswith("##") for text in texts):
        return np.asarray([text.startswith("##") for text in texts])
    return np.asarray([not text.startswith(("Ġ", "▁")) for text in texts])


def document_numbers(labels: torch.Tensor) -> torch.Tensor | None:
    """Each token's document in its row, counted from 1, [rows, length]; None where no row has several."""
    is_start = labels == START
    if not bool(is_start[:, 1:].any()):
        return None
    return is_start.cumsum(dim=1)


def positions_in(documents: torch.Tensor) -> torch.Tensor:
    """Each token's position in its own document, [rows, length]."""
    import torch

    index = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    is_start = torch.ones_like(documents, dtype=torch.bool)
    is_start[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return index - index.where(is_start, torch.zeros_like(index)).cummax(dim=1).values


def own_document_mask(documents: torch.Tensor, attention_mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What is added to attention so that a token sees its own document alone, [rows, 1, length, length].

    Padding sees itself, so that its attention has something to look at.
    """
    import torch

    sees = (documents[:, :, None] == documents[:, None, :]) & attention_mask.bool()[:, None, :]
    sees |= torch.eye(documents.shape[1], dtype=torch.bool, device=documents.device)
    hidden = torch.zeros(sees.shape, dtype=dtype, device=documents.device)
    return hidden.masked_fill(~sees, torch.finfo(dtype).min).unsqueeze(1)
