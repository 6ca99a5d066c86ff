"""Words that name splits."""

from __future__ import annotations

import re

_SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}


def split_named(name: str) -> str:
    """The split that a name speaks of: `dev.csv` is validation; "" of none."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for split, names in _SPLIT_WORDS.items() if any(word in names for word in words)), "")


def split_of_word(word: object) -> str:
    """The split that a word alone is the name of; "" of any other."""
    text = str(word).strip().lower()
    return next((split for split, names in _SPLIT_WORDS.items() if text in names), "")
