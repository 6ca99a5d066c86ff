"""What is printed and the warnings of libraries, kept from deciding how a command ends."""

from __future__ import annotations

import codecs
import io
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, TextIO

_ERRORS = "ftsweep.plain"
_PLAIN = {"…": "...", "─": "-", "│": "|", "\N{EN DASH}": "-", "·": ".", "±": "+-", "∞": "inf"}
_PLAIN |= dict(zip("▁▂▃▄▅▆▇█", "_.-=+*#@", strict=True))
"""What stands for our own drawing characters in an encoding without them; for anything else it is a question mark."""

BROKEN_PIPE = 141
"""The exit code of a command whose reader went away, as shells give it: 128 and SIGPIPE."""


def prepare_output() -> None:
    """Have standard output and error replace what their encoding lacks, and be there where they were closed."""
    _open_closed()
    codecs.register_error(_ERRORS, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def _open_closed() -> None:
    """Open what the shell closed (`>&-`) on nothing: else the next file that is opened would be standard output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - for the process's life


def prepare_warnings() -> None:
    """Take back a wish for warnings as errors, here and in the processes that are started: they are of libraries."""
    warnings.filters[:] = [each for each in warnings.filters if each[0] != "error"]  # type: ignore[index]
    wishes = os.environ.get("PYTHONWARNINGS", "")
    others = [wish for wish in wishes.split(",") if wish.strip() and not wish.strip().startswith("e")]
    if wishes:
        os.environ["PYTHONWARNINGS"] = ",".join(others)


def takes_everything(stream: TextIO) -> bool:
    """Whether every character can be written there: JSON for any other place spells them with ASCII."""
    try:
        return codecs.lookup(stream.encoding or "ascii").name.startswith("utf")
    except (AttributeError, LookupError):
        return True


def print_on(say: Callable[[str], None]) -> None:
    """From now on a reader that goes away, a closed terminal or a full disk ends the printing and nothing else.

    `say` hears of it once, in a sentence. Streams that are not the process's own (a test's) are left alone.
    """
    is_told = False

    def lost(name: str, error: OSError) -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            why = "its reader is gone" if isinstance(error, BrokenPipeError) else error.strerror or str(error)
            say(f"{name} takes nothing more ({why}): what would be printed there is lost, the study goes on.")

    if sys.stdout is sys.__stdout__ and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _lasting(sys.stdout, lambda error: lost("Standard output", error))
    if sys.stderr is sys.__stderr__ and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _lasting(sys.stderr, lambda error: lost("Standard error", error))


def drop_output() -> None:
    """Send what is still to be written to standard output nowhere: its reader is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


class _LastingFile(io.FileIO):
    """A file descriptor that takes everything, even when what is behind it does not any more."""

    def __init__(self, number: int, lost: Callable[[OSError], None]) -> None:
        super().__init__(number, "w", closefd=False)
        self._lost: Callable[[OSError], None] | None = lost

    def write(self, data: Any, /) -> int:
        if self._lost is None:
            return len(data)
        try:
            written = super().write(data)
        except OSError as error:
            tell, self._lost = self._lost, None
            tell(error)
            return len(data)
        return len(data) if written is None else written


def _lasting(stream: io.TextIOWrapper, lost: Callable[[OSError], None]) -> io.TextIOWrapper:
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_LastingFile(stream.fileno(), lost)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=True,
        write_through=stream.write_through,
    )


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    first = error.object[error.start]
    if "\udc80" <= first <= "\udcff":  # a byte of a file's name that was never text
        return bytes([ord(first) - 0xDC00]), error.start + 1
    return _PLAIN.get(first, "?"), error.start + 1
