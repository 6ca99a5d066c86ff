"""Rows of plain text: a paragraph each; or a file each, where folders hold the texts of a label."""

from __future__ import annotations

from collections.abc import Iterator

from ftsweep.data.files.base import OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.text import damage_in, opened_text

_MANY_LINES = 10
"""Lines of a text that are hardly one paragraph."""


def has_folder_label(file: DataFile, settings: ReadSettings) -> bool:
    """Whether a file of text is one row, whose label its folder's name is."""
    return bool(file.folder) and (not settings.wanted or "label" in settings.wanted)


class PlainText(OpenedFile):
    """One row per paragraph (lines between blank lines), in the column `text`."""

    remedy = "Save it as UTF-8, or say its encoding with data.encoding"

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding) -> None:
        super().__init__(file, settings, encoding)
        has_label = has_folder_label(file, settings)
        self._is_whole = has_label or settings.whole_texts
        self.facts.columns = ("text", "label") if has_label else ("text",)

    def rows(self) -> Iterator[RawRow]:
        assert self.encoding is not None
        if self._is_whole:
            yield self._whole()
            return
        paragraph: list[str] = []
        start = number = num_rows = 0
        with opened_text(self.file, self.encoding) as text:
            for number, line in enumerate(text, start=1):
                line = line.rstrip()
                if line.strip("\ufeff"):
                    start = start if paragraph else number
                    paragraph.append(line)
                elif paragraph:
                    num_rows += 1
                    yield self._row(paragraph, start)
                    paragraph = []
        if paragraph:
            yield self._row(paragraph, start)
        if number - start >= _MANY_LINES and not num_rows:
            self.seen.append(
                self.warn(
                    "lines",
                    f"is one paragraph of {number} lines, and so one row: blank lines part the rows of a text",
                    count=1,
                    examples=(f"{self.file.name}:{start}",),
                    remedy="If each line is a text of its own, put a blank line behind each: sed G OLD.txt > NEW.txt",
                )
            )

    def _whole(self) -> RawRow:
        """The file as one row, with its folder's name as the label."""
        assert self.encoding is not None
        with opened_text(self.file, self.encoding) as text:
            row = self._row([text.read().lstrip("\ufeff").rstrip()], 1)
        if row.problem or "label" not in self.facts.columns:
            return row
        return row._replace(values={**row.values, "label": self.file.folder})

    def _row(self, paragraph: list[str], start: int) -> RawRow:
        assert self.encoding is not None
        values = {"text": "\n".join(paragraph)}
        is_whole = not self.encoding.may_be_damaged
        problem = "" if is_whole else damage_in(values, is_decoded=not self.encoding.num_bad_lines)
        return RawRow({} if problem else values, start, problem)
