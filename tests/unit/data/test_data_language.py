"""A language is told where letters tell it, and not guessed from words of a trade."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ftsweep.data.looking.columns import language_of

GERMAN = (
    "Die Größe des Hauses ist nicht so wichtig wie die Lage, sagte er und ging in den Garten, um die Blumen zu gießen. "
    "Es war ein schöner Tag, und die Kinder spielten auf der Straße. Danach fuhren wir nach Hause und kochten Suppe. "
    "Am nächsten Morgen regnete es, und niemand wollte vor die Tür gehen. Deshalb blieben wir in der Küche sitzen, "
    "tranken Kaffee und erzählten einander, was in der Woche geschehen war. Erst gegen Mittag hörte der Regen auf, und "
    "über den Feldern stand ein Bogen, den man noch lange sehen konnte."
)
ENGLISH = (Path(__file__).parents[3] / "docs" / "safety.md").read_text(encoding="utf-8")[:3000]


@pytest.mark.parametrize(("text", "language"), [(GERMAN, "German"), (ENGLISH, "English"), (GERMAN[:80], "")])
def test_language_of_prose(text: str, language: str) -> None:
    assert language_of(text) == language


def test_words_of_a_trade_have_none() -> None:
    words = "array list tensor frame model learn fit index value return given number data matrix shape path file größe"
    chance = random.Random(0)
    assert language_of(" ".join(chance.choices(words.split(), k=500))) == ""
