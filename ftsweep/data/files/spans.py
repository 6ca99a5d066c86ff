"""Entities as spans of a text's characters, made words and BIO tags: `[[0, 6, "LOC"]]`, `[{"start": 0, ...}]`."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ftsweep.data.files.text_words import words_in

_STARTS, _ENDS = ("start", "start_offset", "begin", "start_char"), ("end", "end_offset", "end_char", "stop")
_TYPES = ("label", "labels", "type", "entity", "entity_type", "entity_group", "tag", "class", "entityLabel")


class Span(NamedTuple):
    """Characters from `start`, from 0, up to and without `end`, and the type of the entity."""

    start: int
    end: int
    kind: str
    said: str | None = None
    """The entity's own words, where the data has them beside."""


def are_spans(value: Any) -> bool:
    """Whether it is a list of spans, at least one."""
    return isinstance(value, list | tuple) and bool(value) and all(map(_span_in, value))


def hold_spans(lists: Sequence[Sequence[Any]]) -> bool:
    """Whether some of the lists are spans, and the others empty."""
    return any(lists) and all(are_spans(each) or not each for each in lists)


class Tagged(NamedTuple):
    """A text's words and their BIO tags, or what is wrong with its spans."""

    words: list[str]
    tags: list[str]
    problem: str = ""


def words_and_tags(text: str, value: Sequence[Any]) -> Tagged:
    """The words and signs of a text with their BIO tags.

    They are the same whatever the spans are, so that nothing but its tags tells of an entity; only a span that begins
    or ends within a word parts it. A span that is there twice counts once.
    """
    spans, problem = _spans_of(text, value)
    if problem:
        return Tagged([], [], problem)
    starts = [span.start for span in spans]
    edges = sorted({edge for span in spans for edge in (span.start, span.end)})
    words, tags = [], []
    for start, stop in words_in(text):
        parts = edges[bisect_right(edges, start) : bisect_left(edges, stop)]
        for first, last in pairwise([start, *parts, stop]):
            words.append(text[first:last])
            place = bisect_right(starts, first) - 1
            entity = spans[place] if place >= 0 and first < spans[place].end else None
            goes_on = entity is not None and entity.start < first
            tags.append("O" if entity is None else f"{'I' if goes_on else 'B'}-{entity.kind}")
    return Tagged(words, tags)


class CutWord(NamedTuple):
    """A span that begins or ends between two letters of a word."""

    told: str
    """`'Rom' of 'Rome'`."""
    num_before: int
    """Letters of the word before the span: a language may have endings behind names, and hardly anything before."""
    num_behind: int


def cut_words(text: str, value: Sequence[Any]) -> tuple[list[CutWord], int]:
    """Spans that begin or end between two letters of a word, and how many spans there are.

    Both are none where something is wrong with the spans.
    """
    spans, problem = _spans_of(text, value)
    if problem:
        return [], 0
    found = []
    for span in spans:
        left, right = span.start, span.end
        if any(0 < edge < len(text) and _is_cased(text[edge - 1 : edge + 1]) for edge in (left, right)):
            while left and _is_cased(text[left - 1]):
                left -= 1
            while right < len(text) and _is_cased(text[right]):
                right += 1
            told = f"{text[span.start : span.end]!r} of {text[left:right]!r}"
            found.append(CutWord(told, span.start - left, right - span.end))
    return found, len(spans)


def _spans_of(text: str, value: Sequence[Any]) -> tuple[list[Span], str]:
    """The spans in their order, without white space at their ends, each once; or what is wrong with them."""
    found = [span for each in value if (span := _span_in(each)) is not None]
    for span in found:
        if not 0 <= span.start < span.end <= len(text):
            return [], f"the span {span.start} to {span.end} ({span.kind}) is none of the text's {len(text)} characters"
        inside = text[span.start : span.end]
        if span.said is not None and _letters(span.said) != _letters(inside):
            other = f"the span {span.start} to {span.end} ({span.kind}) is {inside!r} in the text"
            return [], f"{other}, and {span.said!r} by its own words"
    spans = sorted({_trimmed(text, span)._replace(said=None) for span in found})
    for left, right in pairwise(spans):
        if right.start < left.end:
            return [], f"the spans at {left.start} ({left.kind}) and {right.start} ({right.kind}) overlap"
    return spans, ""


def _letters(words: str) -> str:
    r"""Letters and digits alone, in any case and form: tools write a line end as `\n`, or all in small letters."""
    written = unicodedata.normalize("NFKC", words.replace("\\r", " ").replace("\\n", " ").replace("\\t", " "))
    return "".join(filter(str.isalnum, written.casefold()))


def _is_cased(letters: str) -> bool:
    """Whether all are letters of a script with capitals, whose words are parted by spaces."""
    return all(unicodedata.category(letter) in ("Lu", "Ll", "Lt") for letter in letters)


def _trimmed(text: str, span: Span) -> Span:
    """The span without white space at its ends."""
    inside = text[span.start : span.end] if 0 <= span.start < span.end <= len(text) else ""
    if not inside.strip():
        return span
    start = span.start + len(inside) - len(inside.lstrip())
    return span._replace(start=start, end=start + len(inside.strip()))


def _span_in(value: Any) -> Span | None:
    """The span that a list or an object says; None of anything else. Label Studio's has it in `value`."""
    said = None
    if isinstance(value, Mapping):
        inner = value.get("value")
        value = inner if isinstance(inner, Mapping) else value
        parts = [next((value[name] for name in names if name in value), None) for names in (_STARTS, _ENDS, _TYPES)]
        said = value.get("text")
    elif isinstance(value, list | tuple) and len(value) == 3:
        kinds = [part for part in value if isinstance(part, str)]
        parts = [*(part for part in value if not isinstance(part, str)), *kinds]  # the type may stand first
    else:
        return None
    if isinstance(parts[2], list | tuple) and len(parts[2]) == 1:
        parts[2] = parts[2][0]
    start, end, kind = (_whole(parts[0]), _whole(parts[1]), parts[2])
    if start is None or end is None or not isinstance(kind, str) or not kind.strip():
        return None
    return Span(start, end, kind.strip(), said if isinstance(said, str) else None)


def _whole(value: Any) -> int | None:
    """A whole number, also as tables write it (`4.0`)."""
    return int(value) if isinstance(value, int | float) and float(value).is_integer() else None
