"""Tags of words in other schemes than BIO, made BIO.

BIOES, BILOU, BMEWO; IOB1, where I- may begin an entity; IO, which has types alone (`LOC`, and `O` outside): there
neighbours of one type are one entity; and marks alone (`B`, `I`, `O`), where all entities are of one type.
"""

from __future__ import annotations

import unicodedata
from typing import Any

_AS_BIO = {"S": "B", "U": "B", "W": "B", "E": "I", "L": "I", "M": "I"}
_MARKS = {"B", "I", *_AS_BIO}
ONLY_TYPE = "entity"
"""What the type of entities is called where tags are marks alone."""
_JOINS = ("-", "_", ":", "/")
"""What stands between a mark and a type."""


class TagScheme:
    """Which scheme the tags of a data set are in, decided by all of its rows: `add` each, then `apply`."""

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self._has_outside = False
        self._bare: set[str] = set()  # types without a mark before them, or marks alone
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
                self._bare.add(kind)
            else:
                self._has_outside = True
            previous = kind

    @property
    def name(self) -> str:
        """`BIO`, or what else the tags say."""
        if self._is_untyped:
            return f"marks alone ({', '.join(sorted({*self._bare, 'O'}))}: all entities are called {ONLY_TYPE})"
        return f"{self._scheme} spelled in another way" if self._is_respelled else self._scheme

    @property
    def _is_untyped(self) -> bool:
        """Whether tags are marks alone: such letters are no types."""
        return not self.marks and "B" in self._bare and self._bare <= _MARKS and self._has_outside

    @property
    def _scheme(self) -> str:
        if not self.marks and self._bare and self._has_outside:
            return "IO"
        if self.marks & set(_AS_BIO):
            return "BIOES" if self.marks & {"S", "E"} else "BILOU" if self.marks & {"U", "L"} else "BMEWO"
        return "IOB1" if self._num_fresh_i and not self._num_fresh_b else "BIO"

    def apply(self, tags: Any) -> Any:
        """A row's tags in BIO; what is no list of text stays as it is."""
        texts = _texts(tags)
        if not texts:
            return tags
        if self._is_untyped:
            return [tag if tag == "O" else f"{_AS_BIO.get(tag, tag)}-{ONLY_TYPE}" for tag in texts]
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
