"""Words that name splits."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation", "holdout", "heldout"),
}
_OF_WORD = {word: split for split, words in _SPLIT_WORDS.items() for word in words}
_JOINED = re.compile("(" + "|".join(sorted(_OF_WORD, key=len, reverse=True)) + ")(set|data|file)?")


def split_named(name: str) -> str:
    """The split that a name speaks of: `dev.csv` and `TrainSet.csv` are validation and train; "" of none."""
    words = re.split(r"[^a-z]+", name.lower())
    found = {match[1] for word in words if (match := _JOINED.fullmatch(word))}
    return next((split for split, named in _SPLIT_WORDS.items() if found & set(named)), "")


def splits_of_alike(names: Iterable[str]) -> dict[str, str]:
    """The splits of names that speak of them within a word alone, where others differ in nothing else.

    `engtrain.bio` beside `engtest.bio` is train; `latest.csv` is nothing.
    """
    found: dict[str, dict[str, str]] = {}
    for name in names:
        for match in _JOINED.finditer(name.lower()):
            rest = f"{name[: match.start(1)]}*{name[match.end(1) :]}"
            found.setdefault(rest, {})[name] = _OF_WORD[match[1]]
    alike = [splits for splits in found.values() if {"train"} < set(splits.values())]
    return {name: split for splits in alike for name, split in splits.items()}


def split_of_word(word: object) -> str:
    """The split that a word alone is the name of; "" of any other."""
    return _OF_WORD.get(str(word).strip().lower(), "")
