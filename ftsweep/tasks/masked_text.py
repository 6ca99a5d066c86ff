"""Plain text for an encoder: some tokens are masked and must be told from all others (pseudo-likelihood).

Every document is masked once, at the same places for every model, not once per token as Salazar et al. 2020
(arXiv 1910.14659): a seventh of the tokens tells two models apart as well, for a hundredth of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ftsweep.errors import ModelError
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.causal import logits_at, score_tokens, sums_by_row, supervised_positions
from ftsweep.tasks.encoding.tokens import ROWS_PER_CALL, attempt, check_fits_tokenizer, in_chunks, text_of, token_ids
from ftsweep.tasks.text import Text

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MASKED_SHARE = 0.15
_SEED = 0x3A5C


class MaskedText(Text):
    """What the model with its masked-language head says of the masked tokens of the column `text`; never trained on.

    A document is cut at `max_length` tokens. At least one of its tokens is masked, and none of the special ones.
    """

    def __init__(self, *, max_length: int = 512) -> None:
        super().__init__(max_length=max_length, packed=False)

    def encode(
        self, rows: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> Iterator[Example | RowError | None]:
        check_fits_tokenizer(self.max_length, tokenizer)
        if tokenizer.mask_token_id is None:
            raise ModelError("the tokenizer has no mask token, so no word can be hidden from the model", where="model")
        special = set(tokenizer.all_special_ids)
        for chunk in in_chunks(rows, ROWS_PER_CALL):
            parts = [attempt(text_of, values) for values in chunk]
            found = iter(token_ids(tokenizer, [part for part in parts if isinstance(part, str)], special=True))
            for part in parts:
                yield (
                    part if isinstance(part, RowError) else self._masked(next(found), tokenizer.mask_token_id, special)
                )

    def _masked(self, ids: list[int], mask_id: int, special: set[int]) -> Example | RowError:
        was_cut = len(ids) > self.max_length
        ids = [*ids[: self.max_length - 1], ids[-1]] if was_cut else ids  # the last one ends the text
        places = [place for place, token in enumerate(ids) if place and token not in special]
        if not places:
            return RowError("has no word that could be masked")
        number = max(1, round(MASKED_SHARE * len(places)))
        chosen = set(np.random.default_rng([_SEED, len(ids)]).choice(places, size=number, replace=False).tolist())
        labels = [token if place in chosen else IGNORED for place, token in enumerate(ids)]
        return Example([mask_id if place in chosen else token for place, token in enumerate(ids)], labels, was_cut)

    def check_model(self, model: PreTrainedModel) -> None:
        """Any model with an output layer over its vocabulary."""

    def batch_extras(self, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"supervised": supervised_positions(labels)}

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        labels = batch["labels"]
        positions = batch["supervised"] if "supervised" in batch else supervised_positions(labels)
        inputs = {"input_ids": batch["input_ids"], "attention_mask": batch.get("attention_mask")}
        logits = logits_at(model, positions, **inputs)
        losses, num_correct = score_tokens(logits, labels.flatten().index_select(0, positions))
        return sums_by_row(losses, positions, labels), num_correct
