"""Labels as data sets spell them: as text, in an order that does not depend on the rows' order."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ftsweep.errors import suggest
from ftsweep.tasks.base import RowError

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def label_text(value: Any, column: str = "label") -> str:
    """A label as text: `1`, `1.0` and `"1"` are one label, true is "true". Raises RowError for what is none."""
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        raise RowError(f"{column!r} is missing or empty")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int):
        raise RowError(f"{column!r} is {value!r}; a label is text, a whole number or a boolean")
    return str(value)


def in_label_order(labels: Iterable[str]) -> list[str]:
    """Labels in a stable order: numbers by value when all are numbers, else by text."""
    known = list(labels)
    if all(_NUMBER.fullmatch(label) for label in known):
        return sorted(known, key=lambda label: (float(label), label))
    return sorted(known)


def label_indices(labels: Sequence[str]) -> Callable[[str], int]:
    """A label's place among those that train has; the function raises RowError, with the near ones, for any other."""
    places = {label: index for index, label in enumerate(labels)}

    def index_of(label: str) -> int:
        if label not in places:
            raise RowError(f"label {label!r} does not occur in train. {suggest(label, places)}")
        return places[label]

    return index_of
