"""How many tokens examples need: what of those that `task.max_length` cut is still cut at greater lengths."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ftsweep.data.base import Row, TaskEncoding
from ftsweep.data.encoding import EncodingReport

_MOST_ROWS = 1_000
"""Rows that are encoded again at a length; of more so many are taken from all over them."""
_MOST_CHARACTERS = 1_000_000
"""Of all these rows together, or of one: long ones are encoded many times, as they need many lengths."""
_LARGEST = 2**20  # tokens; a tokenizer that does not know what its model takes says a far greater number


class CutAt(NamedTuple):
    """At one length the shares of all examples whose inputs, and whose targets, are cut."""

    max_length: int
    inputs: float
    targets: float


def cut_at_lengths(
    task: TaskEncoding,
    tokenizer: Any,
    schema: Mapping[str, Any],
    rows: Mapping[str, Sequence[Row]],
    report: EncodingReport,
) -> list[CutAt]:
    """What is cut at twice, four times, ... as many tokens, until nothing is or the model takes no more.

    Empty where nothing is cut, or the task has no `max_length`, or the model takes no more as it is.
    """
    own = getattr(task, "max_length", None)
    inputs, targets = (_places(cut) for cut in (report.inputs_cut, report.targets_cut))
    cut = sorted(inputs | targets)
    num_examples = sum(report.num_examples.values())
    longest = min(getattr(tokenizer, "model_max_length", None) or _LARGEST, _LARGEST)
    if own is None or not cut or not num_examples:
        return []
    characters = sum(_num_characters(rows[split][place].values) for split, place in cut)
    sample = cut[:: max(-(-len(cut) // _MOST_ROWS), -(-characters // _MOST_CHARACTERS))]
    weight = len(cut) / len(sample) / num_examples
    found: list[CutAt] = []
    length = own
    while sample and length < longest:
        length = min(2 * length, longest)
        longer: Any = copy.copy(task)
        longer.max_length = length
        values = [rows[split][place].values for split, place in sample]
        results = list(longer.encode(values, tokenizer, schema))[: len(sample)]
        flags = [[bool(getattr(each, name, False)) for name in ("was_cut", "was_target_cut")] for each in results]
        found.append(CutAt(length, *(weight * sum(column) for column in zip(*flags, strict=True))))
        sample = [place for place, cuts in zip(sample, flags, strict=True) if any(cuts)]
    return found


def _num_characters(value: Any) -> int:
    """Of all texts in a value."""
    if isinstance(value, Mapping):
        return sum(map(_num_characters, value.values()))
    return len(value) if isinstance(value, str) else sum(map(_num_characters, value)) if _is_list(value) else 0


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _places(cut: Mapping[str, Sequence[int]]) -> set[tuple[str, int]]:
    return {(split, place) for split, numbers in cut.items() for place in numbers}
