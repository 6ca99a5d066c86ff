"""Text on a terminal or into a pipe: consoles, plain lines, findings. Nothing from outside is read as markup."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from ftsweep.cli.wrapping import wrapped
from ftsweep.domain.finding import Finding, Severity

_PLAIN_WIDTH = 160  # columns where there is no terminal to ask
_SEVERITY_STYLES = {Severity.NOTE: "", Severity.WARN: "yellow", Severity.REFUSE: "red"}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The command decides how it ends: rich would make exit code 1 of it."""
        raise BrokenPipeError


def console_for(file: TextIO) -> Console:
    """A console on this stream; a pipe gets plain, wide text."""
    is_terminal = file.isatty() and os.environ.get("TERM", "") != "dumb"
    return _Console(file=file, highlight=False, width=None if is_terminal else _PLAIN_WIDTH, force_terminal=is_terminal)


def print_line(console: Console, text: str, style: str = "", *, prefix: str = "") -> None:
    """One line in a pipe; in a terminal as many as it takes to break it between words alone, all behind the prefix."""
    for line in wrapped(text, console.width, prefix=prefix) if console.is_terminal else [prefix + text]:
        console.print(Text(line, style=style), soft_wrap=True)


def say(file: TextIO, text: str) -> None:
    """`print_line` on a stream that has no console yet."""
    print_line(console_for(file), text)


def print_findings(console: Console, findings: Iterable[Finding], *, indent: str = "") -> None:
    """One line for each finding about the data: how bad it is, what and where it is, what to do about it."""
    for finding in findings:
        print_line(console, f"{indent}{finding.severity}: {finding.text}", _SEVERITY_STYLES[finding.severity])
