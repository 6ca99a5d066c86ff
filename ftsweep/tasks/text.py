"""Plain text: continued pre-training on whole documents packed into blocks, each seeing only itself."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ftsweep.domain.metric import BITS_PER_BYTE, Metrics
from ftsweep.errors import DataError, ModelError
from ftsweep.tasks.base import IGNORED, Example, RowError
from ftsweep.tasks.causal import TOKEN_LOSS, CausalTask, perplexity, sums_by_row, token_losses
from ftsweep.tasks.encoding.packing import best_fit, block_example, check_keeps_apart, document_positions, pieces
from ftsweep.tasks.encoding.tokens import (
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


class Piece(NamedTuple):
    """A part of a document that becomes an example, or stands in one."""

    ids: Sequence[int]  # in an array of 4 bytes each: many wait at a time
    num_bytes: float  # of the text that its learned tokens stand for, the document's tokens all being as long


class Text(CausalTask):
    """Next-token prediction on the column `text`.

    A document is what the tokenizer puts before a text, the text, and the end-of-text token; one that is longer than
    `max_length` is cut into pieces. `packed` lays whole pieces side by side in blocks of up to `max_length` tokens,
    in which each sees only itself: its loss is the one it has alone. Every token is learned but a piece's first, which
    has no predecessor.
    """

    columns = ("text",)
    mixes_rows = True
    counts_bytes: ClassVar[bool] = True
    metrics: ClassVar[Metrics] = {**TOKEN_LOSS, "bits_per_byte": BITS_PER_BYTE}

    def __init__(self, *, max_length: int = 512, packed: bool = True) -> None:
        """`packed` false makes every piece an example of its own, for models that cannot keep packed ones apart."""
        self.max_length = checked_max_length(max_length)
        self.packed = packed

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
        blocks: deque[list[Piece]] = deque()  # that wait for a row to come out at
        for chunk in in_chunks(rows, ROWS_PER_CALL):
            parts = [attempt(text_of, values) for values in chunk]
            documents = self._documents([part for part in parts if isinstance(part, str)], tokenizer)
            found = [piece for document in documents for piece in document]
            members_of = self._blocks([piece.ids for piece in found])
            blocks.extend([found[index] for index in members] for members in members_of)
            for part in parts:
                if isinstance(part, RowError):
                    yield part
                else:
                    yield _block(blocks.popleft()) if blocks else None
        yield from map(_block, blocks)

    def check_model(self, model: PreTrainedModel) -> None:
        if self.packed:
            check_keeps_apart(model)

    def batch_extras(self, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        positions = document_positions(labels)
        return super().batch_extras(labels) | ({} if positions is None else {"position_ids": positions})

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        if "supervised" not in batch:
            batch = {**batch, **self.batch_extras(batch["labels"])}
        if "position_ids" in batch:
            check_keeps_apart(model)
        return super().losses(model, batch)

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """`{"loss", "perplexity"}` of each row's text and its end, in pieces of `max_length` when it is longer."""
        import torch

        check_fits_tokenizer(self.max_length, tokenizer)
        documents = self._documents(to_predict(text_of, rows), tokenizer)
        blocks = [(row, piece.ids) for row, document in enumerate(documents) for piece in document]
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

    def _documents(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[list[Piece]]:
        """Each text's pieces."""
        end = _end_of_text(tokenizer)
        (start,) = token_ids(tokenizer, [""], special=True)
        start = start[:-1] if start and start[-1] == end else start
        for text, ids in zip(texts, token_ids(tokenizer, texts, special=False), strict=True):
            bytes_per_token = len(text.encode()) / max(1, len(ids))
            yield [
                Piece(array("i", piece), _num_bytes(piece, start, end, bytes_per_token))
                for piece in pieces(ids, start=start, end=end, max_length=self.max_length)
            ]

    def _blocks(self, found: Sequence[Sequence[int]]) -> list[list[int]]:
        """Indices of the pieces of each example."""
        if not self.packed:
            return [[index] for index in range(len(found))]
        return best_fit([len(piece) for piece in found], self.max_length)


def _block(members: Sequence[Piece]) -> Example:
    example = block_example([piece.ids for piece in members])
    return example._replace(num_bytes=round(sum(piece.num_bytes for piece in members)))


def _num_bytes(piece: Sequence[int], start: Sequence[int], end: int, bytes_per_token: float) -> float:
    """Of what is learned: all but the first token, without what stands for no text."""
    num_tokens = len(piece) - max(1, len(start)) - (piece[-1] == end)
    return num_tokens * bytes_per_token


def _row_losses(model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> list[float]:
    """The summed loss of each row of a batch, all of its tokens learned."""
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORED)
    losses, _, positions = token_losses(model, {**batch, "labels": labels})
    return sums_by_row(losses.double(), positions, labels).tolist()


def _end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    if tokenizer.eos_token_id is None:
        raise ModelError(
            "the tokenizer has no end-of-text token, so documents cannot be told apart",
            where="model",
            remedy="Choose a decoder (model=tiny, model=smollm2_135m), or task=classification for an encoder.",
        )
    return int(tokenizer.eos_token_id)
