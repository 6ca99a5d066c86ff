"""Rows for tests of data: sentences of made-up words, so that two of them have next to nothing in common."""

from __future__ import annotations

import random
from typing import Any

_BEGINNINGS = ("ba", "de", "ki", "lo", "mu", "ra", "so", "ti")
_ENDINGS = ("a", "eno", "ist", "u", "ok", "ir")
VOCABULARY = [start + middle + end for start in _BEGINNINGS for middle in "lmnrst" for end in _ENDINGS]


def sentences(num: int, *, seed: int = 0, words: int = 30) -> list[str]:
    """Different sentences of so many words each."""
    generator = random.Random(seed)  # noqa: S311 - not for secrets
    return [" ".join(generator.choices(VOCABULARY, k=words)) for _ in range(num)]


def labelled(num: int, *, seed: int = 0, words: int = 30) -> list[dict[str, Any]]:
    """Rows of two classes in turn."""
    return [{"text": text, "label": "ab"[row % 2]} for row, text in enumerate(sentences(num, seed=seed, words=words))]


def answered(num: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Prompts with completions."""
    texts = sentences(2 * num, seed=seed, words=15)
    return [{"prompt": prompt, "completion": answer} for prompt, answer in zip(texts[:num], texts[num:], strict=True)]


def edited(text: str, *, every: int = 10) -> str:
    """The text with one word of every so many changed."""
    words = text.split()
    return " ".join("changed" if place % every == every - 1 else word for place, word in enumerate(words))
