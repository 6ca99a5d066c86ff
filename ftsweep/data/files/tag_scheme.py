"""Tags of words in other schemes than BIO, made BIO.

BIOES, BILOU, BMEWO; IOB1, where I- may begin an entity; and IO, which has types alone (`LOC`, and `O` outside): there
neighbours of one type are one entity.
"""

from __future__ import annotations

import unicodedata
from typing import Any

_AS_BIO = {"S": "B", "U": "B", "W": "B", "E": "I", "L": "I", "M": "I"}
_MARKS = {"B", "I", *_AS_BIO}
_JOINS = ("-", "_", ":", "/")
"""What stands between a mark and a type."""


class TagScheme:
    """Which scheme the tags of a data set are in, decided by all of its rows: `add` each, then `apply`."""

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self._has_outside = False
        self._has_bare = False  # a type without a mark before it
        self._is_respelled = False  # B_LOC, LOC-B
        self._num_fresh_b = 0  # B- at the beginning of a sentence, after O, or after another type
        self._num_fresh_i = 0  # I- there

    def add(self, tags: Any) -> None:
        """Look at one row's tags."""
        previous = ""
        for tag in _texts(tags):
            mark, kind = _parted(tag)
            if mark:
                self.marks.add(mark)
                self._is_respelled |= not tag.startswith(f"{mark}-")
                if kind != previous:
                    self._num_fresh_b += mark == "B"
                    self._num_fresh_i += mark == "I"
            elif kind:
                self._has_bare = True
            else:
                self._has_outside = True
            previous = kind

    @property
    def name(self) -> str:
        """`BIO`, or what else the tags say."""
        return f"{self._scheme} spelled in another way" if self._is_respelled else self._scheme

    @property
    def _scheme(self) -> str:
        if not self.marks and self._has_bare and self._has_outside:
            return "IO"
        if self.marks & set(_AS_BIO):
            return "BIOES" if self.marks & {"S", "E"} else "BILOU" if self.marks & {"U", "L"} else "BMEWO"
        return "IOB1" if self._num_fresh_i and not self._num_fresh_b else "BIO"

    def apply(self, tags: Any) -> Any:
        """A row's tags in BIO; what is no list of text stays as it is."""
        texts = _texts(tags)
        if not texts:
            return tags
        scheme = self._scheme
        if scheme == "BIO" and not self._is_respelled:
            return texts
        found, previous = [], ""
        for tag in texts:
            mark, kind = _parted(tag)
            if (scheme == "IO" and kind) or (scheme == "IOB1" and mark == "I"):
                mark = "I" if kind == previous else "B"
            found.append(f"{_AS_BIO.get(mark, mark)}-{kind}" if mark else tag)
            previous = kind
        return found


def _parted(tag: str) -> tuple[str, str]:
    """The mark and the type of `B-LOC`, `B_LOC`, `B:LOC` or `LOC-B`; without a mark "" and the type, both "" of O."""
    if tag[:1] in _MARKS and tag[1:2] in _JOINS and tag[2:]:
        return tag[0], tag[2:]
    if tag[-1:] in _MARKS and tag[-2:-1] in _JOINS and tag[:-2]:
        return tag[-1], tag[:-2]
    return "", "" if tag == "O" else tag


def _texts(tags: Any) -> list[str]:
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        return []
    return [tag if tag.isascii() and tag == tag.strip() else unicodedata.normalize("NFC", tag).strip() for tag in tags]
