"""Entities as spans of a text's characters, made words and BIO tags: `[[0, 6, "LOC"]]`, `[{"start": 0, ...}]`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

_STARTS, _ENDS = ("start", "start_offset", "begin", "start_char"), ("end", "end_offset", "end_char", "stop")
_TYPES = ("label", "labels", "type", "entity", "entity_type", "entity_group", "tag", "class")
_WORD = re.compile(r"\S+")


class Span(NamedTuple):
    """Characters from `start`, from 0, up to and without `end`, and the type of the entity."""

    start: int
    end: int
    kind: str


def are_spans(value: Any) -> bool:
    """Whether it is a list of spans, at least one."""
    return isinstance(value, list | tuple) and bool(value) and all(map(_span_in, value))


def hold_spans(lists: Sequence[Sequence[Any]]) -> bool:
    """Whether some of the lists are spans, and the others empty."""
    return any(lists) and all(are_spans(each) or not each for each in lists)


def words_and_tags(text: str, value: Sequence[Any]) -> tuple[list[str], list[str], str]:
    """The words of a text and their BIO tags; and what is wrong with the spans, "" for nothing.

    Words are what white space parts, and where an entity begins or ends within one it is parted there.
    """
    spans = sorted(span for each in value if (span := _span_in(each)) is not None)
    spans = [_trimmed(text, span) for span in spans]
    for span in spans:
        if not 0 <= span.start < span.end <= len(text):
            return (
                [],
                [],
                f"the span {span.start} to {span.end} ({span.kind}) is none of the text's {len(text)} characters",
            )
    for left, right in pairwise(spans):
        if right.start < left.end:
            return [], [], f"the spans at {left.start} ({left.kind}) and {right.start} ({right.kind}) overlap"
    words, tags, place = [], [], 0
    for span in [*spans, Span(len(text), len(text), "")]:
        outside = _WORD.findall(text[place : span.start])
        inside = _WORD.findall(text[span.start : span.end])
        words += outside + inside
        tags += ["O"] * len(outside)
        tags += [f"{'I' if number else 'B'}-{span.kind}" for number in range(len(inside))]
        place = span.end
    return words, tags, ""


def _trimmed(text: str, span: Span) -> Span:
    """The span without white space at its ends."""
    inside = text[span.start : span.end] if 0 <= span.start < span.end <= len(text) else ""
    if not inside.strip():
        return span
    start = span.start + len(inside) - len(inside.lstrip())
    return Span(start, start + len(inside.strip()), span.kind)


def _span_in(value: Any) -> Span | None:
    """The span that a list or an object says; None of anything else. Label Studio's has it in `value`."""
    if isinstance(value, Mapping):
        inner = value.get("value")
        if isinstance(inner, Mapping):
            value = inner
        parts = [next((value[name] for name in names if name in value), None) for names in (_STARTS, _ENDS, _TYPES)]
    elif isinstance(value, list | tuple) and len(value) == 3:
        parts = list(value)
    else:
        return None
    start, end, kind = parts
    if isinstance(kind, list | tuple) and len(kind) == 1:
        kind = kind[0]
    if not isinstance(start, int) or not isinstance(end, int) or not isinstance(kind, str) or not kind.strip():
        return None
    return Span(start, end, kind.strip())
