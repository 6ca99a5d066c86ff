"""Columns within columns: `data.text` is the value `text` of the object in the column `data`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Read = Callable[[Mapping[str, Any]], Any]
"""The value of a row; MISSING of a row that has none."""

MISSING = object()
_MOST_NAMES = 30
"""Keys of an object beyond which they are no columns, but values."""
_DEEPEST = 4


def inner_columns(asked: Iterable[str], columns: Sequence[str]) -> dict[str, Read]:
    """Of the names that are asked for those that point into one of the columns, each with how it is read.

    A number counts a list's items from 0: `annotations.0.label`.
    """
    found = {}
    for name in asked:
        head, dot, _ = name.partition(".")
        if dot and name not in columns and head in columns:
            found[name] = _reader(name)
    return found


def with_inner(values: Mapping[str, Any], inner: Mapping[str, Read]) -> Mapping[str, Any]:
    """The row with these columns, too; one that it does not have is left out."""
    if not inner:
        return values
    more = {name: value for name, read in inner.items() if (value := read(values)) is not MISSING}
    return {**values, **more}


def constant(value: Any) -> Read:
    """The same value of every row."""
    return lambda _: value


def all_inner(values: Mapping[str, Any]) -> dict[str, Any]:
    """The row with every value of objects as a column of its own beside them, as they are for people to choose from."""
    return {**values, **dict(_within("", values, _DEEPEST))}


def _within(before: str, values: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{before}{key}"
        if before:
            yield name, value
        if (
            depth
            and isinstance(value, Mapping)
            and len(value) <= _MOST_NAMES
            and all(isinstance(k, str) for k in value)
        ):
            yield from _within(f"{name}.", value, depth - 1)


def _reader(name: str) -> Read:
    path = name.split(".")

    def read(values: Mapping[str, Any]) -> Any:
        value: Any = values
        for part in path:
            if isinstance(value, Mapping) and part in value:
                value = value[part]
            elif isinstance(value, list | tuple) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            else:
                return MISSING
        return value

    return read
