"""Which encoding a file of text is in: said by its user, by its first bytes, or found, and then told."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ftsweep.data.files.candidates import likeliest
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.told_bytes import has_latin_9, speaks_for, unmarked_wide, why_not_western
from ftsweep.data.files.unpacked import opened
from ftsweep.errors import ConfigError, DataError

_BLOCK = 1 << 20
_MARKS = [
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
_SAMPLE_LINES = 5_000
"""Lines with other bytes than ASCII by which a single-byte encoding is judged."""

_AROUND = 20  # characters that are shown on each side of one
_MAX_BAD = 0.1
"""Share of the lines with other characters than ASCII that may be damaged in a file of UTF-8."""


@dataclass(frozen=True)
class Encoding:
    """How to decode a file, and what is known of its lines."""

    name: str
    """A codec of Python."""
    is_guess: bool = False
    num_lines: int = 0
    first_line: int = 0
    """The first line that other characters than ASCII or damage is on; 0 for none."""
    num_bad_lines: int = 0
    """Lines that the codec cannot read."""
    has_nul: bool = False
    """Whether there is a NUL byte, or may be one."""
    became: str = ""
    """Of a guess: what the first byte that is no UTF-8 became, in words."""
    other: str = ""
    """Of a guess: an encoding that something speaks for, too."""
    is_utf8_too: bool = False
    """Whether it is said to be another one, and all that tells is UTF-8."""

    @property
    def is_wide(self) -> bool:
        """Whether a line end is more than one byte."""
        return self.name.startswith(("utf-16", "utf-32"))

    @property
    def may_be_damaged(self) -> bool:
        """Whether cells must be looked at for what is no text."""
        return bool(self.num_bad_lines) or self.has_nul


def checked_encoding(name: str | None) -> str | None:
    """The name, if it is one of an encoding of text; else ConfigError."""
    if name is None:
        return None
    try:
        if not isinstance(name, str):
            raise LookupError
        info = codecs.lookup(name)
        if not getattr(info, "_is_text_encoding", True):
            raise LookupError
    except LookupError:
        known = "utf-8, utf-16, cp1252, latin-1, cp1250, cp1251, mac-roman, shift_jis, gb18030"
        raise ConfigError(
            f"{name!r} is no encoding of text", where="data.encoding", remedy=f"Such as {known}."
        ) from None
    return info.name


def find_encoding(file: DataFile, said: str | None = None) -> Encoding:
    """The file's encoding after one pass over all of its bytes.

    Raises:
        DataError: the bytes fit neither what is said nor anything that can be told from them.
    """
    with opened(file) as stream:
        first = stream.read(4096)
        rest = _blocks(stream, first)
        name = said or _marked(first) or unmarked_wide(first)
        if name is not None and name.startswith(("utf-16", "utf-32")):
            is_said = said is not None or _marked(first) is not None
            return _wide(file, rest, name, is_guess=not is_said)
        survey = _Survey(name or "utf-8")
        for block in rest:
            survey.add(block)
        survey.end()
    if name is not None:
        _check_said(file, survey, name)
        return replace(_found(survey, "utf-8-sig" if name == "utf-8" else name), is_utf8_too=_is_utf8_too(survey, name))
    if not survey.num_bad:
        return _found(survey, "utf-8")
    if survey.num_bad <= _MAX_BAD * survey.num_good:
        return _found(survey, "utf-8")
    return _western(file, survey)


class _Survey:
    """Lines of one codec: how many there are, which it cannot read, which hold other characters than ASCII."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tail: list[bytes] = []
        self.num_lines = 0
        self.num_good = 0
        self.num_bad = 0
        self.has_nul = False
        self.first_bad = 0
        self.first_other = 0
        self.bad_byte = ""
        self.bad_line = b""
        self.bad_place = 0
        self.samples: list[bytes] = []

    def add(self, block: bytes) -> None:
        end = block.rfind(b"\n") + 1
        if end:
            self._lines(b"".join([*self._tail, block[:end]]))
            self._tail = []
        self._tail.append(block[end:])

    def end(self) -> None:
        tail = b"".join(self._tail)
        if tail:
            self._lines(tail)

    def _lines(self, whole: bytes) -> None:
        if not whole.isascii():
            try:
                whole.decode(self._name)
                is_bad = False
            except UnicodeDecodeError:
                is_bad = True
            if is_bad or not self.first_other or self._name != "utf-8":
                self._look(whole)
            else:
                self.num_good += 1  # lines of a block that is all good are not counted one by one
        self.has_nul = self.has_nul or b"\0" in whole
        self.num_lines += whole.count(b"\n") + (not whole.endswith(b"\n"))

    def _look(self, whole: bytes) -> None:
        for number, line in enumerate(whole.split(b"\n"), start=self.num_lines + 1):
            if line.isascii():
                continue
            self.first_other = self.first_other or number
            if len(self.samples) < _SAMPLE_LINES:
                self.samples.append(line)
            try:
                line.decode(self._name)
                self.num_good += 1
            except UnicodeDecodeError as error:
                self.num_bad += 1
                if not self.first_bad:
                    self.first_bad = number
                    self.bad_line, self.bad_place = line, error.start
                    self.bad_byte = f"byte 0x{line[error.start]:02x}: {error.reason}"


def _blocks(stream: object, first: bytes) -> Iterator[bytes]:
    yield first
    while block := stream.read(_BLOCK):  # type: ignore[attr-defined]
        yield block


def _marked(first: bytes) -> str | None:
    return next((name for mark, name in _MARKS if first.startswith(mark)), None)


def _wide(file: DataFile, blocks: Iterator[bytes], name: str, *, is_guess: bool) -> Encoding:
    decoder = codecs.getincrementaldecoder(name)()
    num_lines, is_whole = 0, True
    try:
        for block in blocks:
            text = decoder.decode(block)
            num_lines += text.count("\n")
            is_whole = text.endswith("\n") if text else is_whole
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        remedy = "Say which it is with data.encoding, or save it as UTF-8."
        if "truncated" in str(error):
            remedy = "It ends within a character: fetch it, or write it, again."
        what = f"cannot be read as {name.upper()} ({getattr(error, 'reason', error)})"
        raise DataError(what, where=f"{file.where}:{num_lines + 1}", remedy=remedy) from None
    return Encoding(name, is_guess, num_lines + (not is_whole), 1, has_nul=True)


def _check_said(file: DataFile, survey: _Survey, name: str) -> None:
    if survey.num_bad > _MAX_BAD * max(survey.num_good, survey.num_lines):
        raise DataError(
            f"{survey.num_bad} of {survey.num_lines} lines cannot be read as {name} ({survey.bad_byte})",
            where=f"{file.where}:{survey.first_bad}",
            remedy="Say another with data.encoding, or leave it out: what the file seems to be is then told.",
        )


def _is_utf8_too(survey: _Survey, name: str) -> bool:
    """Whether lines that are said to be in a single-byte encoding hold nothing but letters of UTF-8."""
    if name.startswith("utf") or not survey.samples:
        return False
    try:
        b"\n".join(survey.samples).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _western(file: DataFile, survey: _Survey) -> Encoding:
    """cp1252, if what it makes of the bytes looks like words of Western Europe; else DataError."""
    why = why_not_western(sample := b"\n".join(survey.samples))
    if not why:
        became = _became(survey.bad_line, survey.bad_place)
        other = "iso8859-15" if has_latin_9(sample) else ""
        return Encoding(
            "cp1252", True, survey.num_lines, survey.first_bad, has_nul=survey.has_nul, became=became, other=other
        )
    if survey.num_bad <= _MAX_BAD * survey.num_lines:  # a few lines of something else in a file of ASCII
        return _found(survey, "utf-8")
    raise DataError(
        f"is not UTF-8 ({survey.bad_byte}), and no Western European text (cp1252) either: {why}",
        where=f"{file.where}:{survey.first_bad}",
        remedy=f"Say which encoding it is in: data.encoding={likeliest(sample, speaks_for(sample))}.",
    )


def _became(line: bytes, place: int) -> str:
    """What a byte of a line became in cp1252, with the characters around it."""
    start = max(line.rfind(b" ", 0, place) + 1, place - _AROUND)
    end = line.find(b" ", place)
    end = min(len(line) if end < 0 else end, place + _AROUND)
    char, around = (part.decode("cp1252", "replace") for part in (line[place : place + 1], line[start:end]))
    return f"byte 0x{line[place]:02x} became {char!r} in {around.strip()!r}"


def _found(survey: _Survey, name: str) -> Encoding:
    first = survey.first_bad or survey.first_other
    return Encoding(name, False, survey.num_lines, first, survey.num_bad, survey.has_nul)
