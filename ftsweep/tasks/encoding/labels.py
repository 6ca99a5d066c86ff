"""Labels as data sets spell them: as text, in an order that does not depend on the rows' order."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from ftsweep.errors import ConfigError, suggest
from ftsweep.tasks.base import RowError

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_MISSING = {"nan", "NaN", "<NA>", "NaT", r"\N"}
"""What pandas, numpy and databases write where nothing is; `None` and `null` may be names of classes."""


def label_text(value: Any, column: str = "label", *, fold: bool = False) -> str:
    """A label as text: `1`, `1.0` and `"1"` are one label, so are true and `"True"`, and all ways to write an accent.

    With `fold`, labels that differ in case, spaces or the form of their characters are one, too.

    Raises:
        RowError: for what is no label.
    """
    if isinstance(value, str):
        text = _plain(value)
        if text and text not in _MISSING:
            return folded(text) if fold else text
        value = None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise RowError(f"{column!r} is missing or empty")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int):
        raise RowError(f"{column!r} is {value!r}; a label is text, a whole number or a boolean")
    return str(value)


@lru_cache(maxsize=1 << 14)
def folded(label: str) -> str:
    """One name for labels that differ in case, spaces or the form of their characters: `Not  Good` is `not good`."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold()).split())


@lru_cache(maxsize=1 << 14)
def _plain(text: str) -> str:
    """Text without what a file's format did to it: padding, invisible characters, `.0`, capitals of a boolean."""
    text = unicodedata.normalize("NFC", text.translate(_INVISIBLE)).strip()
    whole = _WHOLE.fullmatch(text)
    if whole:
        return whole[1]
    return text.lower() if text.lower() in ("true", "false") else text


def checked_switch(value: bool, where: str) -> bool:
    """True or false; ConfigError for anything else."""
    if not isinstance(value, bool):
        raise ConfigError(f"{value!r} is not possible", where=where, remedy="Use true or false.")
    return value


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
            alike = next((each for each in places if folded(each) == folded(label)), None)
            how = f"task.fold_labels=true makes it one with {alike!r}." if alike else suggest(label, places)
            raise RowError(f"label {label!r} does not occur in train. {how}")
        return places[label]

    return index_of


def written(value: Any) -> str:
    """A label as it stands in the data; escaped where it looks like another that is written otherwise."""
    text = repr(value)
    is_plain = not isinstance(value, str) or (text.isascii() or unicodedata.is_normalized("NFC", value))
    return text if is_plain else ascii(value)
