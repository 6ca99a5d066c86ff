"""Tags of words in other schemes than BIO, made BIO: BIOES, BILOU, BMEWO, and IOB1, where I- may begin an entity."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

_AS_BIO = {"S": "B", "U": "B", "W": "B", "E": "I", "L": "I", "M": "I"}


class TagScheme:
    """Which scheme the tags of a data set are in, decided by all of its rows: `add` each, then `apply`."""

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self._num_fresh_b = 0  # B- at the beginning of a sentence, after O, or after another type
        self._num_fresh_i = 0  # I- there

    def add(self, tags: Any) -> None:
        """Look at one row's tags."""
        previous = ""
        for tag in _texts(tags):
            mark, _, kind = tag.partition("-")
            if kind:
                self.marks.add(mark)
                if kind != previous:
                    self._num_fresh_b += mark == "B"
                    self._num_fresh_i += mark == "I"
            previous = kind

    @property
    def name(self) -> str:
        """`BIO`, or what else the tags say."""
        if self.marks & set(_AS_BIO):
            return "BIOES" if self.marks & {"S", "E"} else "BILOU" if self.marks & {"U", "L"} else "BMEWO"
        return "IOB1" if self._num_fresh_i and not self._num_fresh_b else "BIO"

    def apply(self, tags: Any) -> Any:
        """A row's tags in BIO; what is no list of text stays as it is."""
        texts = _texts(tags)
        if not texts:
            return tags
        if self.name == "BIO":
            return texts
        if self.name == "IOB1":
            return _begun(texts)
        return [f"{_AS_BIO.get(tag[:1], tag[:1])}{tag[1:]}" if tag[1:2] == "-" else tag for tag in texts]


def _begun(tags: Sequence[str]) -> list[str]:
    """Every I- that continues nothing as B-."""
    found, previous = [], ""
    for tag in tags:
        kind = tag[2:] if tag[1:2] == "-" else ""
        found.append(f"B-{kind}" if tag.startswith("I-") and kind != previous else tag)
        previous = kind
    return found


def _texts(tags: Any) -> list[str]:
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        return []
    return [tag if tag.isascii() and tag == tag.strip() else unicodedata.normalize("NFC", tag).strip() for tag in tags]
