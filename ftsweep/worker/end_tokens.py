"""Encoder-decoders that classify read a text at its end token, and all texts of a batch must have as many of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ftsweep.data.base import SPLITS
from ftsweep.errors import DataError, ModelError
from ftsweep.evaluation.trial_parts import TrialParts

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def check_end_tokens(parts: TrialParts, base: PreTrainedModel) -> None:
    """Raise for rows that such a model cannot read: transformers would, in the middle of a trial.

    Raises:
        ModelError: the tokenizer ends no text with the token.
        DataError: some texts hold it themselves.
    """
    if not base.config.is_encoder_decoder or parts.strategy.head_for(parts.task) != "sequence_classification":
        return
    end = base.config.eos_token_id
    if not isinstance(end, int):
        return
    for name in (each for each in SPLITS if parts.prepared.has(each)):
        split = parts.prepared.split(name)
        counts = [int((split.input_ids(index) == end).sum()) for index in range(len(split))]
        usual = Counter(counts).most_common(1)[0][0] if counts else 1
        token, kind = parts.tokenizer.convert_ids_to_tokens(end), type(base).__name__
        if usual == 0:
            raise ModelError(
                f"the tokenizer puts no {token!r} behind a text, where {kind} reads it",
                where="model",
                remedy="Take the tokenizer that the model came with, or an encoder.",
            )
        others = [index for index, count in enumerate(counts) if count != usual]
        if others:
            rows, place = parts.prepared.rows(name), int(split.row_index(others[0]))
            raise DataError(
                f"{len(others)} rows of {name} hold {token!r} in their text (as {rows[place].place} does), "
                f"which {kind} takes for its end",
                where="data",
                remedy="Write it otherwise there (</ s>, say), or choose an encoder (model=modernbert_base).",
            )
