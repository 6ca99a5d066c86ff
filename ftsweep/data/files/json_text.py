"""JSON as people write it, parsed so that nothing of it is lost: keys that stand twice, objects behind each other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_COMMA = re.compile(r",\s*[\]}]")


class Twice(dict[str, Any]):
    """An object in which a key stands twice with different values; it has the last one of each."""

    key = ""
    is_own = True
    """Whether the key is its own, and not one of an object in it."""


def parsed(text: str) -> Any:
    """The value that the text spells; objects with a key twice are `Twice`, and so are those that hold one.

    Raises:
        ValueError, RecursionError: as Python's parser does.
    """
    value, is_sure = parsed_fast(text)
    return value if is_sure else json.loads(text, object_pairs_hook=_object)


def parsed_fast(text: str) -> tuple[Any, bool]:
    """The value, and whether surely no object in it has a key twice."""
    lengths: list[int] = []

    def plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            lengths.append(len(pairs))
        return found

    value = json.loads(text, object_pairs_hook=plain)
    return value, not lengths


def parsed_lines(joined: str, *, is_flat: bool) -> tuple[Any, bool]:
    """The list of objects that lines make, put together as one; and whether surely no object has a key twice.

    `is_flat`: the first line holds no object within its own.
    """
    if not is_flat:
        return parsed_fast(joined)
    rows = json.loads(joined)
    # flat rows with as many colons behind quote marks as keys: the parser's own objects are faster
    is_sure = '" :' not in joined and joined.count('":') == sum(map(len, rows))
    return rows, is_sure or parsed_fast(joined)[1]


def twice_in(value: Any) -> str:
    """What is wrong with a row that has a key twice; "" of any other."""
    return f"the key {value.key!r} stands there twice, with different values" if isinstance(value, Twice) else ""


def several(text: str) -> list[dict[str, Any]]:
    """The objects that stand behind each other, with nothing but white space between; [] of any other text."""
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    found, place = [], 0
    text = text.strip()
    while place < len(text):
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        found.append(value)
        place = len(text) - len(text[end:].lstrip()) if end < len(text) and text[end].isspace() else end
    return found


def has_comma_at_end(text: str, place: int) -> bool:
    """Whether the parser stopped at the end of a list or an object because of a comma before it."""
    before = text[:place].rstrip()
    return _COMMA.match(text, max(len(before) - 1, 0)) is not None


def _object(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found, key = dict(pairs), ""
    if len(found) < len(pairs):
        key = next((name for name, value in pairs if repr(found[name]) != repr(value)), "")  # NaN is not NaN
    inner = "" if key else next(filter(None, map(_inner_key, found.values())), "")
    if not key and not inner:
        return found
    marked = Twice(found)
    marked.key, marked.is_own = key or inner, bool(key)
    return marked


def _inner_key(value: Any) -> str:
    if isinstance(value, Twice):
        return value.key
    return next(filter(None, map(_inner_key, value)), "") if isinstance(value, list) else ""
