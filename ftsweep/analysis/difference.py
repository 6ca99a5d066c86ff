"""What differs between a few things that are told as lines of text: the rest is counted and left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def differing(told: Sequence[Mapping[str, str]], *, missing: str) -> tuple[list[tuple[str, list[str]]], int]:
    """The names whose text is not the same everywhere, with their texts; and how many are the same.

    `missing` stands where one of them has no such line.
    """
    names = list(dict.fromkeys(name for each in told for name in each))
    rows = [(name, [each.get(name, missing) for each in told]) for name in names]
    different = [(name, texts) for name, texts in rows if len(set(texts)) > 1]
    return different, len(rows) - len(different)
