"""Rows of plain text: a paragraph each."""

from __future__ import annotations

from collections.abc import Iterator

from ftsweep.data.files.base import OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.text import damage_in, opened_text


class PlainText(OpenedFile):
    """One row per paragraph (lines between blank lines), in the column `text`."""

    remedy = "Save it as UTF-8, or say its encoding with data.encoding"

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding) -> None:
        super().__init__(file, settings, encoding)
        self.facts.columns = ("text",)

    def rows(self) -> Iterator[RawRow]:
        assert self.encoding is not None
        paragraph: list[str] = []
        start = 0
        with opened_text(self.file, self.encoding) as text:
            for number, line in enumerate(text, start=1):
                line = line.rstrip()
                if line.strip("\ufeff"):
                    start = start if paragraph else number
                    paragraph.append(line)
                elif paragraph:
                    yield self._row(paragraph, start)
                    paragraph = []
        if paragraph:
            yield self._row(paragraph, start)

    def _row(self, paragraph: list[str], start: int) -> RawRow:
        assert self.encoding is not None
        values = {"text": "\n".join(paragraph)}
        is_whole = not self.encoding.may_be_damaged
        problem = "" if is_whole else damage_in(values, is_decoded=not self.encoding.num_bad_lines)
        return RawRow({} if problem else values, start, problem)
