"""Ten percent of a text's words changed, in the ways in which near-duplicates come about."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Edit = Callable[[list[str], int, Sequence[str], random.Random], list[str]]


def _substituted(words: list[str], count: int, others: Sequence[str], chance: random.Random) -> list[str]:
    for place in chance.sample(range(len(words)), count):
        words[place] = chance.choice(others)
    return words


def _deleted(words: list[str], count: int, others: Sequence[str], chance: random.Random) -> list[str]:
    for place in sorted(chance.sample(range(len(words)), min(count, len(words) - 1)), reverse=True):
        del words[place]
    return words


def _inserted(words: list[str], count: int, others: Sequence[str], chance: random.Random) -> list[str]:
    for _ in range(count):
        words.insert(chance.randrange(len(words) + 1), chance.choice(others))
    return words


def _mixed(words: list[str], count: int, others: Sequence[str], chance: random.Random) -> list[str]:
    for _ in range(count):
        kind = chance.choice((_substituted, _deleted, _inserted, _swapped))
        words = kind(words, 1, others, chance)
    return words


def _swapped(words: list[str], count: int, others: Sequence[str], chance: random.Random) -> list[str]:
    place = chance.randrange(max(1, len(words) - 1))
    words[place : place + 2] = reversed(words[place : place + 2])
    return words


def _misspelt(words: list[str], count: int, others: Sequence[str], chance: random.Random) -> list[str]:
    for place in chance.sample(range(len(words)), count):
        at = chance.randrange(len(words[place]))
        words[place] = words[place][:at] + chance.choice("abcdefghijklmnop") + words[place][at + 1 :]
    return words


def _at_the_end(words: list[str], count: int, others: Sequence[str], chance: random.Random) -> list[str]:
    return [*words, *(chance.choice(others) for _ in range(count))]


EDITS: dict[str, Edit] = {
    "substituted": _substituted,
    "deleted": _deleted,
    "inserted": _inserted,
    "mixed": _mixed,
    "misspelt": _misspelt,
    "added at the end": _at_the_end,
}


def edited(text: str, kind: str, others: Sequence[str], chance: random.Random) -> str:
    """The text with a tenth of its words, at least one, edited in this way."""
    words = text.split()
    return " ".join(EDITS[kind](words, max(1, round(0.1 * len(words))), others, chance)) if words else text
