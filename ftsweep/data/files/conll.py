"""Rows of files with a word a line and its tag beside it: which columns they are is found out and told, or said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ftsweep.data.files.base import OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.conll_layout import DOCUMENT, TAG, Layout, cells_of, find_layout, is_range
from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.text import excerpt, opened_text, undecoded

_SAMPLE_LINES = 3_000


class ConllFile(OpenedFile):
    """One row per sentence (lines between blank lines), in the columns `tokens` and `tags`.

    Cells are parted by tabs, or by spaces where a line has no tab. Comment lines and `-DOCSTART-` say nothing about
    words. Where tags are not wanted (rows to answer), a file need not have them.
    """

    remedy = "Every line must be a word and its tag, 'London B-location'; a blank line ends a sentence"

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding) -> None:
        super().__init__(file, settings, encoding)
        needs_tags = not settings.wanted or "tags" in settings.wanted
        with opened_text(file, encoding) as text:
            lines = [line.lstrip("\ufeff") for line in islice(text, _SAMPLE_LINES)]
        self._layout = find_layout(lines, settings.mapping, needs_tags=needs_tags, where=file.where)
        self.facts.columns = ("tokens",) if self._layout.tags is None else ("tokens", "tags")
        if not self._layout.is_said:
            self._tell(self._layout)

    @property
    def layout(self) -> Layout:
        """Which columns are words and tags."""
        return self._layout

    def rows(self) -> Iterator[RawRow]:
        assert self.encoding is not None
        is_damaged = bool(self.encoding.num_bad_lines)
        layout, place = self._layout, self._layout.tag_place
        words: list[tuple[str, str]] = []
        start, problem, is_header = 0, "", layout.has_header
        with opened_text(self.file, self.encoding) as text:
            for number, line in enumerate(text, start=1):
                cells = cells_of(line.lstrip("\ufeff"))
                if not cells or cells[0] in DOCUMENT:
                    if words or problem:
                        yield self._row(words, start, problem)
                    words, problem, start = [], "", 0
                    continue
                if self._is_comment(line, cells, is_first=not (words or problem)):
                    continue
                if is_header:
                    is_header = False
                    continue
                start = start or number
                if layout.index and is_range(cells[0]):  # CoNLL-U: several words in one, or none
                    continue
                if wrong := self._miscounted(cells):
                    problem = problem or f"line {number}: {wrong}: {excerpt(line)}"
                elif is_damaged and (byte := undecoded(line)) is not None:
                    problem = problem or f"line {number} cannot be decoded ({byte})"
                else:
                    words.append((cells[layout.words], cells[place]))
        if words or problem:
            yield self._row(words, start, problem)

    def _row(self, words: Sequence[tuple[str, str]], start: int, problem: str) -> RawRow:
        if problem:
            return RawRow({}, start, problem)
        tokens, tags = (list(column) for column in zip(*words, strict=True))
        return RawRow({"tokens": tokens} if self._layout.tags is None else {"tokens": tokens, "tags": tags}, start)

    def _miscounted(self, cells: Sequence[str]) -> str:
        """What is wrong with the number of a line's cells; "" for nothing."""
        layout = self._layout
        if layout.tags is None and layout.num_columns == 1 and len(cells) > 1:
            return f"{len(cells)} words, where other lines have one"
        if len(cells) >= layout.num_cells:
            return ""
        if len(cells) == 1:
            return "a word without a tag"
        return f"{len(cells)} cells, and the tag is in column {layout.num_cells}"

    def _is_comment(self, line: str, cells: Sequence[str], *, is_first: bool) -> bool:
        """A line before a sentence that begins with # and is no word: `# sent_id = 3`, and not `# O`."""
        if not line.startswith("#") or not is_first:
            return False
        layout = self._layout
        if layout.tags is None:
            return len(cells) != layout.num_columns
        return len(cells) < layout.num_cells or not TAG.fullmatch(cells[layout.tag_place])

    def _tell(self, layout: Layout) -> None:
        if layout.tags is None:
            return
        spelled = f"data.columns={{tokens: {layout.words + 1}, tags: {layout.tags + 1}}}"
        if (layout.words, layout.tags) != (0, layout.num_columns - 1):
            numbered = ", column 1 numbers them" if layout.index else ""
            told = f"has words in column {layout.words + 1}, tags in {layout.tags + 1}{numbered} ({spelled} says it)"
            self.assumed.append(self.note("columns", told))
        if layout.has_header:
            self.assumed.append(self.note("columns", "names its columns in its first line, which is no row"))
        if layout.others:
            others = " and ".join(str(column + 1) for column in layout.others)
            self.assumed.append(
                self.warn(
                    "columns",
                    f"has tags in column {others}, too; those of column {layout.tags + 1} are read",
                    remedy="If others are meant, say so",
                    override=f"data.columns.tags={layout.others[-1] + 1}",
                )
            )
