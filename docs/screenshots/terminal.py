"""A command in a pseudo-terminal of some size, and what it shows there as an SVG."""

from __future__ import annotations

import fcntl
import io
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pyte
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.text import Text

Size = tuple[int, int]
"""Columns and lines."""
_TALL = 1_000  # lines: what has scrolled away is kept
_QUIET_SECONDS = 0.5
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)  # fonts of a far server


class Terminal:
    """A command that runs in a terminal; what it writes is kept from the last resizing on."""

    def __init__(self, command: list[str], folder: Path, size: Size) -> None:
        self._controller, terminal = os.openpty()
        self._size = size
        self.resize(size)
        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self._child = subprocess.Popen(
            command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=folder,
            env={**environment, "TERM": "xterm-256color", "MLFLOW_DISABLE_TELEMETRY": "true"},
        )
        os.close(terminal)

    def resize(self, size: Size) -> None:
        self._size, self._found = size, b""
        fcntl.ioctl(self._controller, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def show_until(self, is_shown: Callable[[str], bool], timeout_seconds: float) -> pyte.Screen:
        """The screen as it stands when this is true of its text and nothing is being written.

        Raises:
            TimeoutError: it was not true in time, or the command has ended before.
        """
        end = time.monotonic() + timeout_seconds
        while time.monotonic() < end:
            is_quiet = not self._read(_QUIET_SECONDS)
            screen = shown(self._found.decode(errors="replace"), self._size)
            if is_quiet and is_shown("\n".join(screen.display)):
                return screen
            if is_quiet and self._child.poll() is not None:
                break
        raise TimeoutError("\n".join(screen.display))

    def finish(self) -> str:
        """Everything that was written since the last resizing, when the command has ended.

        Raises:
            CalledProcessError: it failed.
        """
        while self._child.poll() is None or self._read(0):
            self._read(_QUIET_SECONDS)
        os.close(self._controller)
        text = self._found.decode(errors="replace")
        if self._child.returncode:
            raise subprocess.CalledProcessError(self._child.returncode, self._child.args, text)
        return text

    def _read(self, timeout_seconds: float) -> bytes:
        if not select.select([self._controller], [], [], timeout_seconds)[0]:
            return b""
        try:
            part = os.read(self._controller, 65_536)
        except OSError:  # the command has closed the terminal
            return b""
        self._found += part
        return part


def shown(text: str, size: Size) -> pyte.Screen:
    """What a terminal of that size shows of a text with its control sequences."""
    screen = pyte.Screen(*size)
    pyte.Stream(screen).feed(text)
    return screen


def run_and_draw(command: list[str], folder: Path, size: Size, file: Path) -> None:
    """Have the command write to a terminal of that size and draw all of it, what has scrolled away too."""
    text = Terminal(command, folder, size).finish()
    draw(shown(f"$ {' '.join(['ftsweep', *command[1:]])}\r\n{text}", (size[0], _TALL)), file)


def draw(screen: pyte.Screen, file: Path) -> None:
    """Write the lines of a screen that hold something as an SVG."""
    lines = [_line(screen, number) for number in range(screen.lines)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    console = Console(width=screen.columns, record=True, file=io.StringIO(), highlight=False, legacy_windows=False)
    for line in lines:
        console.print(line, no_wrap=True, crop=False)
    file.write_text(console.export_svg(title="", code_format=_FORMAT, unique_id=file.stem), encoding="utf-8")


def _line(screen: pyte.Screen, number: int) -> Text:
    cells = (screen.buffer[number][column] for column in range(screen.columns))
    parts = groupby(cells, lambda cell: (cell.fg, cell.bold, cell.italics, cell.reverse))
    line = Text()
    for (color, bold, italic, reverse), same in parts:
        style = Style(color=_color(color), bold=bold, italic=italic, reverse=reverse)
        line.append("".join(cell.data for cell in same), style)
    line.rstrip()
    return line


def _color(name: str) -> str | None:
    """Pyte's name of a colour as rich has it."""
    known = {"default": None, "brown": "yellow"}
    return known[name] if name in known else f"#{name}" if re.fullmatch(r"[0-9a-f]{6}", name) else name
