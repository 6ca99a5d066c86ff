"""Single words that tell the label of nearly every row: a queue's number, a file's name, a form that has an answer."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

from ftsweep.guards.base import NUM_EXAMPLES, DataGuard, Mode, Sighting, of_rows

if TYPE_CHECKING:
    from ftsweep.data.inspection import DataView

_WORD = re.compile(r"\w+")
_MIN_CLASS_ROWS = 20
_IN_OTHERS = 0.01
"""Of the rows of other labels that may hold a label's word."""


class TellingWords(DataGuard):
    """Labels of train that have a word of their own, in nearly all of their rows and in hardly any other row.

    Where all labels but one have such a word, it is told by having none. A label's own name is no such word: that is
    `TargetInInput`.

    Args:
        mode: refuse, allow or off.
        held_by: share of a label's rows that hold its word.
        warn_above: share of train's rows that have such a label.
    """

    def __init__(
        self,
        *,
        mode: Mode = "refuse",
        held_by: Annotated[float, Ge(0.5), Le(1)] = 0.95,
        warn_above: float | None = 0.5,
    ) -> None:
        super().__init__(mode=mode, warn_above=warn_above)
        self.held_by = held_by

    def look(self, data: DataView) -> Iterator[Sighting]:
        if not data.has_classes:
            return
        labels, rows = data.labels("train"), data.rows["train"]
        sizes = Counter(labels)
        holds: dict[str, Counter[str]] = defaultdict(Counter)
        first: dict[str, int] = {}
        for place, (label, text) in enumerate(zip(labels, data.inputs("train"), strict=True)):
            holds[label].update(set(_WORD.findall(text.lower())))
            first.setdefault(label, place)
        for label, counts in holds.items():
            counts.pop(label.lower(), None)  # `target_in_input` says that
        overall: Counter[str] = sum(holds.values(), Counter())
        told = [
            label
            for label, size in sizes.most_common()
            if _MIN_CLASS_ROWS <= size < len(labels)
            and any(
                count >= self.held_by * size and overall[word] - count <= _IN_OTHERS * (len(labels) - size)
                for word, count in holds[label].items()
            )
        ]
        if told:
            is_rest_told = len(told) == len(sizes) - 1  # the label that has no such word is told by that
            count = len(labels) if is_rest_told else sum(sizes[label] for label in told)
            is_one = len(told) == 1
            have = (
                "has a word of its own, in nearly all of its" if is_one else "have a word each, in nearly all of their"
            )
            rest = (
                f"; the rows without {'it' if is_one else 'them'} have the label that is left" if is_rest_told else ""
            )
            yield Sighting(
                what=f"{of_rows(count, len(labels), 'train')} have labels that a single word tells: {len(told)} "
                f"of {len(sizes)} labels {have} rows and hardly any other{rest}",
                count=count,
                num_rows=len(labels),
                examples=tuple(f"{rows[first[label]].place} ({label!r})" for label in told[:NUM_EXAMPLES]),
                remedy="Where it was written with the label (a queue, a source, a form) mask it in the source: a model "
                "learns it and nothing else. Where labels differ in their words anyway, as languages do, it may stay",
            )
