"""Plain text for an encoder: some tokens are hidden and must be told from all others.

Every document is measured with the same tokens hidden, for every model, not once per token as Salazar et al. 2020
(arXiv 1910.14659): a seventh of the tokens tells two models apart as well, for a hundredth of the time. In training
others are hidden in every epoch (Liu et al. 2019, arXiv 1907.11692).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from ftsweep.domain.metric import Metrics
from ftsweep.errors import ConfigError, ModelError, UnanswerableError
from ftsweep.models.base import Head
from ftsweep.tasks.base import IGNORED, Example, Redraw, RowError
from ftsweep.tasks.causal import (
    TOKEN_LOSS,
    logits_at,
    perplexity,
    score_tokens,
    sums_by_row,
    supervised_positions,
    transformers_model,
)
from ftsweep.tasks.encoding.masking import START, Masking, document_numbers, own_document_mask, positions_in
from ftsweep.tasks.encoding.packing import check_keeps_apart
from ftsweep.tasks.encoding.tokens import (
    ROWS_PER_CALL,
    attempt,
    batches_by_length,
    check_fits_tokenizer,
    in_chunks,
    text_of,
    to_predict,
    token_ids,
)
from ftsweep.tasks.text import Text

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Masked = tuple[list[int], list[int]]
"""A piece's token ids, some of them hidden, and its labels."""


class MaskedText(Text):
    """Telling hidden tokens on the column `text`, for models with a masked-language head.

    A document is what the tokenizer makes of a text; one longer than `max_length` is cut into pieces that each have its
    special tokens. `packed` lays whole pieces side by side in blocks, in which each sees only itself. No special token
    and no piece's first token is ever hidden.
    """

    head: ClassVar[Head] = "masked_lm"
    loss_settings = frozenset({"masked_share", "whole_words"})
    counts_bytes: ClassVar[bool] = False  # what is hidden of a text depends on its tokens
    metrics: ClassVar[Metrics] = TOKEN_LOSS

    def __init__(
        self, *, max_length: int = 512, packed: bool = True, masked_share: float = 0.15, whole_words: bool = False
    ) -> None:
        """`masked_share` of the tokens, or of `whole_words` as many as make it up, are to be told in training."""
        super().__init__(max_length=max_length, packed=packed)
        if isinstance(masked_share, bool) or not isinstance(masked_share, int | float) or not 0 < masked_share < 1:
            raise ConfigError(f"must be above 0 and below 1, not {masked_share!r}", where="task.masked_share")
        self.masked_share = float(masked_share)
        self.whole_words = whole_words

    def encode(
        self, rows: Iterable[Mapping[str, Any]], tokenizer: PreTrainedTokenizerBase, schema: Mapping[str, Any]
    ) -> Iterator[Example | RowError | None]:
        check_fits_tokenizer(self.max_length, tokenizer)
        masking = Masking(tokenizer)
        blocks: deque[Example] = deque()  # that wait for a row to come out at
        for chunk in in_chunks(rows, ROWS_PER_CALL):
            parts = [attempt(text_of, values) for values in chunk]
            pieces = iter(self._masked([part for part in parts if isinstance(part, str)], tokenizer, masking))
            found = [part if isinstance(part, RowError) else next(pieces) or _nothing_to_hide() for part in parts]
            masked = [piece for part in found if isinstance(part, list) for piece in part]
            blocks.extend(
                _joined([masked[index] for index in block]) for block in self._blocks([ids for ids, _ in masked])
            )
            for part in found:
                if isinstance(part, RowError):
                    yield part
                else:
                    yield blocks.popleft() if blocks else None
        yield from blocks

    def redraw(self, tokenizer: PreTrainedTokenizerBase) -> Redraw | None:
        return partial(Masking(tokenizer).redrawn, share=self.masked_share, whole_words=self.whole_words)

    def check_model(self, model: PreTrainedModel) -> None:
        if self.packed:
            _check_keeps_apart(model)

    def batch_extras(self, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        documents = document_numbers(labels)
        found = {"supervised": supervised_positions(labels)}
        return found if documents is None else found | {"documents": documents}

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        if "supervised" not in batch:
            batch = {**batch, **self.batch_extras(batch["labels"])}
        if "documents" in batch:
            _check_keeps_apart(model)
        losses, num_correct = _token_losses(model, batch)
        return sums_by_row(losses, batch["supervised"], batch["labels"]), num_correct

    def predict(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        schema: Mapping[str, Any],
        rows: Sequence[Mapping[str, Any]],
        batch_size: int,
    ) -> list[dict[str, Any]]:
        """`{"loss", "perplexity"}` of each row's text, with the tokens hidden that are hidden when it is measured."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        check_fits_tokenizer(self.max_length, tokenizer)
        texts = to_predict(text_of, rows)
        documents = list(self._masked(texts, tokenizer, Masking(tokenizer)))
        empty = {row: str(_nothing_to_hide()) for row, document in enumerate(documents) if not document}
        if empty:
            raise UnanswerableError(empty)
        blocks = [(row, piece) for row, document in enumerate(documents) for piece in document]
        model.eval()
        device = next(model.parameters()).device
        sums, counts = [0.0] * len(rows), [0] * len(rows)
        with torch.inference_mode():
            for indices in batches_by_length([len(ids) for _, (ids, _) in blocks], batch_size):
                ids = [torch.tensor(blocks[index][1][0]) for index in indices]
                labels = [torch.tensor(blocks[index][1][1]) for index in indices]
                batch = {
                    "input_ids": pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id),
                    "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
                    "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
                }
                losses, _ = self.losses(model, {name: value.to(device) for name, value in batch.items()})
                for index, loss, count in zip(indices, losses.tolist(), self.row_units(batch["labels"]), strict=True):
                    sums[blocks[index][0]] += loss
                    counts[blocks[index][0]] += int(count)
        losses_of = [total / count for total, count in zip(sums, counts, strict=True)]
        return [{"loss": loss, "perplexity": perplexity(loss)} for loss in losses_of]

    def _masked(
        self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, masking: Masking
    ) -> Iterator[list[Masked]]:
        """Each text's pieces, those left out of which nothing can be hidden."""
        before, after = special_around(tokenizer)
        room = self.max_length - len(before) - len(after)
        if room < 1:
            raise ConfigError(f"{self.max_length} tokens leave no room for text", where="task.max_length")
        for ids in token_ids(tokenizer, texts, special=False):
            whole = ([*before, *ids[at : at + room], *after] for at in range(0, len(ids), room))
            yield [found for piece in whole if (found := masking.measured(piece)) is not None]


def special_around(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and behind a text."""
    (whole,), (plain,) = (token_ids(tokenizer, ["a"], special=special) for special in (True, False))
    start = next(at for at in range(len(whole)) if whole[at : at + len(plain)] == plain)
    return whole[:start], whole[start + len(plain) :]


def _nothing_to_hide() -> RowError:
    return RowError("has no word that could be masked")


def _joined(pieces: Sequence[Masked]) -> Example:
    """One example of these pieces, one after another."""
    return Example([token for ids, _ in pieces for token in ids], [label for _, labels in pieces for label in labels])


def _token_losses(model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of every hidden token its loss, float32, and the number of right guesses."""
    labels, positions = batch["labels"], batch["supervised"]
    inputs: dict[str, Any] = {"input_ids": batch["input_ids"], "attention_mask": batch.get("attention_mask")}
    if "documents" in batch:
        inputs |= _apart(model, batch)
    logits = logits_at(model, positions, **inputs)
    return score_tokens(logits, labels.flatten().index_select(0, positions))


def _apart(model: Any, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Inputs by which documents in a block see only themselves."""
    import torch

    documents, inner = batch["documents"], transformers_model(model)
    mask = batch.get("attention_mask")
    mask = torch.ones_like(documents) if mask is None else mask
    inputs = {
        "attention_mask": own_document_mask(documents, mask, inner.get_input_embeddings().weight.dtype),
        "position_ids": positions_in(documents),
    }
    if getattr(inner.config, "type_vocab_size", 0) > 1:  # else a block's second document would be a second segment
        inputs["token_type_ids"] = torch.zeros_like(documents)
    return inputs


def _check_keeps_apart(model: PreTrainedModel) -> None:
    """As `check_keeps_apart`; a model with windows is refused, for the mask of a block would take them away."""
    kinds = set(getattr(transformers_model(model).config, "layer_types", None) or ())
    remedy = "Set task.packed=false: every example is then one piece of a document."
    if kinds - {"full_attention"}:
        what = (
            f"{type(model).__name__} looks at windows ({', '.join(sorted(kinds))}), in which documents cannot be packed"
        )
        raise ModelError(what, where="task.packed", remedy=remedy)
    try:
        check_keeps_apart(model, _losses_of_last)
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        what = f"{type(model).__name__} cannot be told which tokens of a block are one document: {error}"
        raise ModelError(what, where="task.packed", remedy=remedy) from error


def _losses_of_last(model: Any, input_ids: torch.Tensor) -> torch.Tensor:
    """See LossesOfLast; no token is hidden."""
    import torch

    labels = torch.full_like(input_ids, IGNORED)
    labels[:, [0, -6]] = START
    labels[:, -5:] = input_ids[:, -5:]
    batch = {"input_ids": input_ids, "labels": labels, "supervised": supervised_positions(labels)}
    documents = document_numbers(labels)
    batch |= {"documents": torch.ones_like(labels) if documents is None else documents}
    device = model.get_input_embeddings().weight.device
    losses, _ = _token_losses(model, {name: value.to(device) for name, value in batch.items()})
    return losses.view(len(input_ids), -1)
