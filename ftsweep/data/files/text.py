"""The lines of a file of text in any encoding; what cannot be decoded stays recognisable."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TextIO

from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.unpacked import opened

_UNDECODED = re.compile("[\udc80-\udcff]")


@contextmanager
def opened_text(file: DataFile, encoding: Encoding, *, newline: Literal["\n"] | None = None) -> Iterator[TextIO]:
    """The file as text; bytes that the encoding does not have are half characters, which `undecoded` finds.

    Lines end with `newline`; with None also with \\r and \\r\\n, and all of them are "\\n" then.
    """
    with opened(file) as raw:
        name = "utf-8-sig" if encoding.name == "utf-8" else encoding.name
        errors = "strict" if encoding.is_wide else "surrogateescape"
        text = io.TextIOWrapper(raw, encoding=name, errors=errors, newline=newline)
        try:
            yield text
        finally:
            text.detach()


def undecoded(text: str) -> str | None:
    """Which byte of a text could not be decoded, in words; None when all could."""
    match = None if text.isascii() else _UNDECODED.search(text)
    return None if match is None else f"byte 0x{ord(match[0]) - 0xDC00:02x}"


def damage_in(values: dict[str, str], *, is_decoded: bool) -> str:
    """Why a row's cells are no text; "" when they are."""
    for name, cell in values.items():
        if "\0" in cell:
            return f"{name!r} holds a NUL byte"
        if not is_decoded and (byte := undecoded(cell)) is not None:
            return f"{name!r} cannot be decoded ({byte})"
    return ""


def excerpt(text: str, length: int = 60) -> str:
    """The beginning of a text on one line, printable."""
    text = " ".join(text.split()).encode("utf-8", "replace").decode()
    return text if len(text) <= length else text[: length - 1] + "…"
