"""Plain text: continued pre-training on documents packed into blocks of equal length."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ftsweep.domain.objective import Direction
from ftsweep.errors import DataError, ModelError
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.causal import CausalTask, perplexity, sums_by_row, token_losses
from ftsweep.tasks.tokens import (
    ROWS_PER_CALL,
    attempt,
    batches_by_length,
    check_fits_tokenizer,
    checked_max_length,
    in_chunks,
    padded,
    text_of,
    to_predict,
    token_ids,
)

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Text(CausalTask):
    """Next-token prediction on the column `text`.

    Documents are joined with the end-of-text token and cut into blocks of `max_length` tokens; every token is learned
    but the first of a block, which has no predecessor. Attention crosses documents inside of a block.
    """

    columns = ("text",)
    metrics: ClassVar[Mapping[str, Direction]] = {"loss": "minimize", "perplexity": "minimize"}

    def __init__(self, *, max_length: int = 512) -> None:
        self.max_length = checked_max_length(max_length)

    def check_columns(self, available: Iterable[str]) -> None:
        found = sorted(set(available))
        if "text" not in found:
            raise DataError(
                f"text needs the column 'text'; found: {', '.join(found) or 'none'}",
                remedy="Name yours with data.columns.text=<its name>",
            )

    def input_text(self, values: Mapping[str, Any]) -> str:
        return str(values.get("text") or "")

    def target_text(self, values: Mapping[str, Any]) -> str:
        return ""

    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        return {}

    def encode(
        self, rows: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> Iterator[Example | RowError | None]:
        check_fits_tokenizer(self.max_length, tokenizer)
        end_id = _end_of_text(tokenizer)
        rest = array("i")  # 4 bytes a token: blocks of long documents wait here and in `blocks` for their rows
        blocks: deque[array[int]] = deque()
        for chunk in in_chunks(rows, ROWS_PER_CALL):
            parts = [attempt(text_of, values) for values in chunk]
            documents = iter(token_ids(tokenizer, [part for part in parts if isinstance(part, str)], special=False))
            for part in parts:
                if isinstance(part, RowError):
                    yield part
                    continue
                rest.extend([*next(documents), end_id])
                num_whole = len(rest) // self.max_length * self.max_length
                blocks.extend(rest[at : at + self.max_length] for at in range(0, num_whole, self.max_length))
                rest = rest[num_whole:]
                yield _block(blocks.popleft()) if blocks else None
        if len(rest) > 1:  # a single token has nothing to learn
            blocks.append(rest)
        yield from map(_block, blocks)

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """`{"loss", "perplexity"}` of each row's text and its end, in blocks of `max_length` when it is longer."""
        import torch

        check_fits_tokenizer(self.max_length, tokenizer)
        texts = to_predict(text_of, rows)
        end_id = _end_of_text(tokenizer)
        documents = [[*ids, end_id] for ids in token_ids(tokenizer, texts, special=False)]
        blocks = [
            (row, ids[at : at + self.max_length])
            for row, ids in enumerate(documents)
            for at in range(0, len(ids), self.max_length)
            if len(ids) - at > 1
        ]
        model.eval()
        device = next(model.parameters()).device
        sums, counts = [0.0] * len(rows), [0] * len(rows)
        with torch.inference_mode():
            for indices in batches_by_length([len(ids) for _, ids in blocks], batch_size):
                batch = padded([blocks[index][1] for index in indices], tokenizer.pad_token_id, device)
                for index, block_loss in zip(indices, _row_losses(model, batch), strict=True):
                    row, ids = blocks[index]
                    sums[row] += block_loss
                    counts[row] += len(ids) - 1
        losses = [total / count if count else math.nan for total, count in zip(sums, counts, strict=True)]
        return [{"loss": loss, "perplexity": perplexity(loss)} for loss in losses]


def _row_losses(model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> list[float]:
    """The summed loss of each row of a batch, all of its tokens learned."""
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORED)
    losses, _, positions = token_losses(model, {**batch, "labels": labels})
    return sums_by_row(losses.double(), positions, labels).tolist()


def _block(ids: array[int]) -> Example:
    input_ids = ids.tolist()
    return Example(input_ids, [IGNORED, *input_ids[1:]])


def _end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    if tokenizer.eos_token_id is None:
        raise ModelError(
            "the tokenizer has no end-of-text token, so documents cannot be told apart",
            where="model",
            remedy="Choose a decoder (model=tiny, model=smollm2_135m), or task=classification for an encoder.",
        )
    return int(tokenizer.eos_token_id)
