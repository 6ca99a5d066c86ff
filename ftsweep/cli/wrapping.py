"""Text broken into a terminal's lines: between words alone, and never within what a person would copy."""

from __future__ import annotations

import re

from rich.cells import cell_len

_UNIT = re.compile(r"""(?:(?<!\w)'[^'\n]*'|(?<!\w)"[^"\n]*"|\S)+""")
"""A word; quotes that do not follow a letter (an apostrophe does) keep their spaces in it."""
VERBS = (
    *("list", "logs", "copy", "new", "show", "plan", "run", "status", "compare", "enqueue", "extend", "pin", "stop"),
    *("best", "predict", "evaluate", "report", "dashboard", "ui", "clean", "doctor"),
)
"""What stands behind `ftsweep` in a command; in a sentence about it another word does."""
_COMMAND = re.compile(rf"(?:^|(?<=:))\s*((?:ftsweep (?:{'|'.join(VERBS)})|echo|pip)\b.*)$")
"""A command ends the line that it stands in, behind a colon, or is all of it."""


def wrapped(text: str, width: int, *, prefix: str = "") -> list[str]:
    """The text's lines, each of at most `width` cells where its words allow; the first behind a prefix, under which
    nothing stands.

    A word, a quoted path, an override or a command that is longer than that stays whole, on a line of its own, for the
    terminal to break: it is copied in one piece. What follows on an indented line is indented deeper.
    """
    room = max(1, width - cell_len(prefix))
    lines = [line for each in text.split("\n") for line in _wrapped_line(each, room)]
    return [(" " * cell_len(prefix) if i else prefix) + line for i, line in enumerate(lines)]


def longest_unit(text: str) -> int:
    """The cells of the longest part that is not broken."""
    return max(map(cell_len, units(text)), default=0)


def units(text: str) -> list[str]:
    """The parts of a line that are never broken."""
    command = _COMMAND.search(text)
    head = text[: command.start()] if command else text
    return [*_UNIT.findall(head), *([command[1]] if command else [])]


def _wrapped_line(line: str, width: int) -> list[str]:
    if cell_len(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    deeper = f"{indent}  " if indent else ""
    lines: list[str] = []
    filled = ""
    for unit in units(line):
        start = filled or (deeper if lines else indent)
        joined = start + (" " if filled else "") + unit
        if filled and cell_len(joined) > width:
            lines.append(filled)
            joined = deeper + unit
        filled = joined
    return [*lines, filled]
