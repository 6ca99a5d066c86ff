"""`ftsweep plan`: one row as the model reads it, with what is learned of it marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

MAX_CHARACTERS = 400
"""Of one run of text; a longer one loses its middle."""

OPEN, CLOSE = "[[", "]]"


def print_shown(console: Console, shown: Mapping[str, Any]) -> None:
    """The row in a prepared set's facts: {place, read_as, parts: [[text, is_learned], ...]}; {} prints nothing.

    Line ends are written as a return sign, so that a row is one line.
    """
    if not shown:
        return
    how = f", read as {shown['read_as']}" if shown["read_as"] else ""
    line = Text(f"{shown['place']}{how}; learned is what stands in {OPEN} {CLOSE}: ")
    for text, is_learned in shown["parts"]:
        cut = _cut(text).replace("\n", "⏎")
        line.append(f"{OPEN}{cut}{CLOSE}" if is_learned else cut, style="bold green" if is_learned else "")
    console.print(line, soft_wrap=not console.is_terminal)


def _cut(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    half = MAX_CHARACTERS // 2
    return f"{text[:half]} … {text[-half:]}"
