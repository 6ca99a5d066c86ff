"""Rows of files with a word a line and its tag beside it: which columns they are is found out and told, or said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ftsweep.data.files.base import OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.text import excerpt, opened_text, undecoded
from ftsweep.errors import DataError

_SAMPLE_LINES = 3_000
_TAG = re.compile(r"O|[BIESLUMW]-\S.*|[BI]_\S.*")
_MOST = 0.95
"""Share of a column's cells that are tags, for it to be a column of tags."""
_RANGE = re.compile(r"\d+[-.]\d+")
_DOCUMENT = ("-DOCSTART-", "-DOCEND-")


@dataclass(frozen=True)
class Layout:
    """Columns from 0 (-1: the last), and how many cells a line has at least."""

    words: int
    tags: int
    num_cells: int
    index: bool = False
    """Whether the first column numbers the words."""
    others: tuple[int, ...] = ()
    """Columns that hold tags, too."""


class ConllFile(OpenedFile):
    """One row per sentence (lines between blank lines), in the columns `tokens` and `tags`.

    Cells are parted by tabs, or by spaces where a line has no tab. Comment lines and `-DOCSTART-` say nothing about
    words.
    """

    remedy = "Every line must be a word and its tag, 'London B-location'; a blank line ends a sentence"

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding) -> None:
        super().__init__(file, settings, encoding)
        with opened_text(file, encoding) as text:
            sample = [
                cells_of(line) for line in islice(text, _SAMPLE_LINES) if not line.startswith("#") and line.strip()
            ]
        sample = [cells for cells in sample if cells[0] not in _DOCUMENT]
        self.facts.columns = ("tokens", "tags")
        self._layout = self._find_layout(sample) if sample else Layout(0, 1, 2)

    @property
    def layout(self) -> Layout:
        """Which columns are words and tags."""
        return self._layout

    def rows(self) -> Iterator[RawRow]:
        assert self.encoding is not None
        is_damaged = bool(self.encoding.num_bad_lines)
        words: list[tuple[str, str]] = []
        start, problem = 0, ""
        with opened_text(self.file, self.encoding) as text:
            for number, line in enumerate(text, start=1):
                cells = cells_of(line.lstrip("\ufeff"))
                if not cells:
                    if words or problem:
                        yield self._row(words, start, problem)
                    words, problem, start = [], "", 0
                    continue
                if cells[0] in _DOCUMENT or self._is_comment(line, cells, is_first=not (words or problem)):
                    continue
                start = start or number
                if self._layout.index and is_range(cells[0]):  # CoNLL-U: several words in one, or none
                    continue
                if len(cells) < self._layout.num_cells:
                    problem = problem or f"line {number}: {self._short(cells)}: {excerpt(line)}"
                elif is_damaged and (byte := undecoded(line)) is not None:
                    problem = problem or f"line {number} cannot be decoded ({byte})"
                else:
                    words.append((cells[self._layout.words], cells[self._layout.tags]))
        if words or problem:
            yield self._row(words, start, problem)

    def _row(self, words: Sequence[tuple[str, str]], start: int, problem: str) -> RawRow:
        if problem:
            return RawRow({}, start, problem)
        tokens, tags = (list(column) for column in zip(*words, strict=True))
        return RawRow({"tokens": tokens, "tags": tags}, start)

    def _short(self, cells: Sequence[str]) -> str:
        if len(cells) == 1:
            return "a word without a tag"
        return f"{len(cells)} cells, and the tag is in column {self._layout.num_cells}"

    def _is_comment(self, line: str, cells: Sequence[str], *, is_first: bool) -> bool:
        """A line before a sentence that begins with # and is no word: `# sent_id = 3`, and not `# O`."""
        if not line.startswith("#") or not is_first:
            return False
        return len(cells) < self._layout.num_cells or not _TAG.fullmatch(cells[self._layout.tags])

    def _find_layout(self, sample: Sequence[Sequence[str]]) -> Layout:
        counts = Counter(map(len, sample))
        num_cells = counts.most_common(1)[0][0]
        usual = [cells for cells in sample if len(cells) == num_cells and not (num_cells > 2 and is_range(cells[0]))]
        usual = usual or [cells for cells in sample if len(cells) == num_cells]
        has_index = num_cells > 2 and sum(cells[0].isdigit() for cells in usual) >= _MOST * len(usual)
        said = {name: self._said(name, num_cells) for name in ("tokens", "tags")}
        if num_cells < 2:
            self._refuse_one_column(usual)
        tags = said["tags"]
        tagged = [column for column in range(num_cells) if _are_tags([cells[column] for cells in usual])]
        if tags is None:
            if not tagged:
                return self._without_tags(usual, num_cells, said["tokens"], has_index)
            tags = tagged[-1]
        words = said["tokens"]
        if words is None:
            words = next(column for column in range(num_cells) if column != tags and not (column == 0 and has_index))
        others = tuple(column for column in tagged if column != tags)
        layout = Layout(words, tags, max(words, tags) + 1, has_index, others)
        self._tell(layout, num_cells, is_said=None not in said.values())
        if said["tags"] is None and tags == num_cells - 1:  # the last cell, however many a line has
            return replace(layout, tags=-1, num_cells=words + 2)
        return layout

    def _said(self, name: str, num_cells: int) -> int | None:
        """The column that data.columns names by its number, from 0."""
        number = self.settings.mapping.get(name)
        if number is None or str(number) == name:
            return None
        if not str(number).isdigit() or not 1 <= int(number) <= num_cells:
            raise DataError(
                f"there is no column {number!r}, which data.columns.{name} names: its lines have {num_cells} cells",
                where=self.file.where,
                remedy=f"Name columns of this kind of file by number, from 1: data.columns.{name}={num_cells}.",
            )
        return int(number) - 1

    def _without_tags(
        self, usual: Sequence[Sequence[str]], num_cells: int, said: int | None, has_index: bool
    ) -> Layout:
        words = said if said is not None else int(has_index)
        if num_cells == 2 and said is None:  # the usual layout: the rows' own problems say what is wrong with its tags
            return Layout(0, 1, 2)
        shown = " | ".join(usual[0])
        raise DataError(
            f"no column looks like tags (O, B-<type>, I-<type>): {excerpt(shown)}",
            where=self.file.where,
            remedy=f"Name the columns by number, such as data.columns='{{tokens: {words + 1}, tags: {num_cells}}}'.",
        )

    def _refuse_one_column(self, usual: Sequence[Sequence[str]]) -> None:
        raise DataError(
            f"its lines are a word without a tag, such as {excerpt(usual[0][0])!r}",
            where=self.file.where,
            remedy=self.remedy + ".",
        )

    def _tell(self, layout: Layout, num_cells: int, *, is_said: bool) -> None:
        if is_said:
            return
        spelled = f"data.columns={{tokens: {layout.words + 1}, tags: {layout.tags + 1}}}"
        if (layout.words, layout.tags) != (0, num_cells - 1):
            numbered = ", column 1 numbers them" if layout.index else ""
            told = f"has words in column {layout.words + 1}, tags in {layout.tags + 1}{numbered} ({spelled} says it)"
            self.assumed.append(self.note("columns", told))
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


def is_range(cell: str) -> bool:
    """Whether CoNLL-U numbers several words in one (`1-2`) so, or none (`8.1`)."""
    return _RANGE.fullmatch(cell) is not None


def cells_of(line: str) -> list[str]:
    """The cells of a line: parted by tabs, or by white space where there is no tab."""
    text = line.strip()
    return [cell.strip() for cell in text.split("\t")] if "\t" in text else text.split()


def _are_tags(cells: Sequence[str]) -> bool:
    counts = Counter(map(str.strip, cells))
    num_tags = sum(number for cell, number in counts.items() if _TAG.fullmatch(cell))
    return num_tags >= _MOST * len(cells) and len(counts) <= max(200, len(cells) / 4)
