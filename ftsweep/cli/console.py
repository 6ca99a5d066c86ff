"""Text on a terminal or into a pipe: consoles, plain lines, findings. Nothing from outside is read as markup."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

from ftsweep.domain.finding import Finding, Severity

_PLAIN_WIDTH = 160  # columns where there is no terminal to ask
_SEVERITY_STYLES = {Severity.NOTE: "", Severity.WARN: "yellow", Severity.REFUSE: "red"}


def console_for(file: TextIO) -> Console:
    """A console on this stream; a pipe gets plain, wide text."""
    is_terminal = file.isatty() and os.environ.get("TERM", "") != "dumb"
    return Console(file=file, highlight=False, width=None if is_terminal else _PLAIN_WIDTH, force_terminal=is_terminal)


def print_line(console: Console, text: str, style: str = "") -> None:
    """One line, which the terminal may wrap and a pipe may not."""
    console.print(Text(text, style=style), soft_wrap=True)


def print_findings(console: Console, findings: Iterable[Finding], *, indent: str = "") -> None:
    """One line for each finding about the data: how bad it is, what and where it is, what to do about it."""
    for finding in findings:
        print_line(console, f"{indent}{finding.severity}: {finding.text}", _SEVERITY_STYLES[finding.severity])
