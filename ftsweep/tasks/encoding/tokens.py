"""What tasks share of turning text into token ids and ids into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, TypeVar

from ftsweep.errors import ConfigError, UnanswerableError
from ftsweep.tasks.base import RowError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")

ROWS_PER_CALL = 1000
"""Rows given to the tokenizer at once: enough to keep its threads busy, few enough to stay small in memory."""


def checked_max_length(max_length: int) -> int:
    """`max_length` itself, when it is a whole number that leaves room for something to learn."""
    if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 2:
        raise ConfigError(f"must be a whole number of at least 2, not {max_length!r}", where="task.max_length")
    return max_length


def check_fits_tokenizer(max_length: int, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ConfigError when the model has no positions for `max_length` tokens."""
    limit = tokenizer.model_max_length
    if max_length > limit:
        raise ConfigError(
            f"{max_length} tokens are asked for, but this model takes at most {limit}",
            where="task.max_length",
            remedy=f"Use task.max_length={limit} or less",
        )


def text_of(values: Mapping[str, Any]) -> str:
    """The row's `text`."""
    return text_in(values, "text")


def text_in(values: Mapping[str, Any], column: str) -> str:
    """The text of a row's column. Raises RowError when it is missing, empty or not text."""
    value = values.get(column)
    if value is None:
        raise RowError(f"{column!r} is missing")
    if not isinstance(value, str):
        raise RowError(f"{column!r} is of type {type(value).__name__}, not text")
    if not value.strip():
        raise RowError(f"{column!r} is empty")
    return value


def attempt(make: Callable[[Mapping[str, Any]], T], values: Mapping[str, Any]) -> T | RowError:
    """What `make` makes of a row, or the RowError that it raised."""
    try:
        return make(values)
    except RowError as error:
        return error


def to_predict(make: Callable[[Mapping[str, Any]], T], rows: Sequence[Mapping[str, Any]]) -> list[T]:
    """What `make` makes of each row. Raises UnanswerableError with all rows that it refuses."""
    made = [attempt(make, values) for values in rows]
    reasons = {place: str(part) for place, part in enumerate(made) if isinstance(part, RowError)}
    if reasons:
        raise UnanswerableError(reasons)
    return [part for part in made if not isinstance(part, RowError)]


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of up to `size` items, in order."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def token_ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, special: bool) -> list[list[int]]:
    """Uncut token ids of each text; `special` adds what the tokenizer puts around a text."""
    if not texts:
        return []
    # verbose=False: the tokenizer would log that a text is longer than the model, which is cut later.
    encoded = tokenizer(list(texts), add_special_tokens=special, return_attention_mask=False, verbose=False)
    return list(encoded["input_ids"])


def batches_by_length(lengths: Sequence[int], batch_size: int, *, mixed: bool = True) -> Iterator[list[int]]:
    """Indices of all items in batches of similar length, longest first (so that too little memory shows at once).

    With `mixed` false the items of a batch have one length: nothing in it is padded.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    if mixed:
        yield from in_chunks(order, batch_size)
        return
    for _, equal in groupby(order, key=lambda index: lengths[index]):
        yield from in_chunks(equal, batch_size)


def padded(
    sequences: Sequence[Sequence[int]], pad_id: int, device: torch.device, *, left: bool = False
) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask` [rows, longest], padded on the right unless `left`."""
    import torch

    longest = max(len(sequence) for sequence in sequences)
    input_ids = torch.full((len(sequences), longest), pad_id, dtype=torch.long)
    attention_mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        place = slice(longest - len(sequence), longest) if left else slice(0, len(sequence))
        input_ids[row, place] = torch.tensor(sequence, dtype=torch.long)
        attention_mask[row, place] = 1
    return {"input_ids": input_ids.to(device), "attention_mask": attention_mask.to(device)}
