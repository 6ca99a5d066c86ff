"""Rows of cells from the lines of a table: a quote mark that opens and never closes costs its own line, no other."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ftsweep.data.files.base import Quotes
from ftsweep.data.files.dialect import Dialect, Quoting, alone, closed_values, quotes_where_needed
from ftsweep.data.files.text import excerpt
from ftsweep.errors import DataError

csv.field_size_limit(2**31 - 1)  # the default, 128 KiB, is shorter than a document

_MOST = 0.9
"""Share of a quoted cell's lines that must be rows of their own for it to count as swallowed rows."""

_FIRST_LOOK = 64
"""Lines of an open cell after which they are looked at; and again whenever there are twice as many."""

_BLOCK = 1024
"""Lines that are read at once, and one by one only where one of them is no record by itself."""

_MAX_AGAIN = 20
"""Times the lines of a file that may be read once more because quote marks do not pair up."""

_MARK = "\ufeff"
"""What stands before lines of files that were put together of several with byte order marks; no part of a row."""

_MOST_BY_CHANCE = 10
"""Lines of a cell that may all have as many separators as a row, where cells with separators are quoted."""


class Record(NamedTuple):
    """Cells, or what is wrong with them; the line they begin on, and how many they take."""

    cells: Sequence[str]
    number: int
    num_lines: int
    problem: str = ""


PlainRecord = tuple[Sequence[str], int, int, str]
"""What a Record is; the usual ones are not made into one, which takes its time."""


class _Swallowed(Exception):  # noqa: N818 - no error: a signal through csv.reader
    """The open cell's lines are rows of their own."""


class Records:
    """The records of a table's lines, in order.

    A record of several lines counts as one where it is a row of the table and its lines are not. Else its first line is
    a record that says so, and reading goes on with the next line.
    """

    def __init__(self, lines: Iterator[str], *, dialect: Dialect, quotes: Quotes, sample: Sequence[str]) -> None:
        """The first rows' lines (`sample`) show how texts are told from rows that a quote mark swallowed."""
        self._source = _Lines(lines, self._look)
        self._delimiter = dialect.delimiter
        self._skips_space = dialect.skips_space
        self._num_columns = len(dialect.first)
        self._quotes = quotes
        self._closed = closed_values(sample, dialect) if quotes == "check" else {}
        """The values of columns that have few: in a text of lines there are others."""
        self._is_well_quoted = quotes_where_needed(sample, dialect)
        """Whether the file quotes where it must: then a cell of a few lines is believed."""
        self._is_open = False  # a quote mark of an earlier line may still be waiting for its other half
        self.num_escaped = 0
        """Lines whose quote marks are escaped by a backslash."""
        self.doubtful: list[int] = []
        """Lines on which a record of a few lines begins that may as well be two rows."""

    def blocks(self) -> Iterator[tuple[int, list[list[str]], Iterable[PlainRecord]]]:
        """Many at a time: the first one's number, from 1, and the cells of lines that are a record each; or records."""
        source = self._source
        while block := source.block(_BLOCK):
            found = None if self._is_open else self._one_a_line([line.removeprefix(_MARK) for line in block])
            if found is None:
                source.put_back(block, is_again=False)
                yield source.next_number, [], self._one_by_one()
            else:
                yield source.next_number - len(block), found, ()

    def _one_a_line(self, lines: list[str]) -> list[list[str]] | None:
        """The cells of every line, when each is a record; None when one is not.

        Lines without a quote mark are split at the separator, which takes a third of the reader's time.
        """
        delimiter, has_quotes = self._delimiter, self._quotes != "none"
        mark = "" if self._skips_space else '"'  # "" is in every line
        quoted = [line for line in lines if mark in line] if has_quotes else []
        try:
            records = list(self._reader(iter(quoted)))
        except csv.Error:
            return None
        if len(records) != len(quoted):
            return None
        found = iter(records)
        return [
            next(found) if has_quotes and mark in line else text.split(delimiter) if (text := line.rstrip("\n")) else []
            for line in lines
        ]

    def _reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        quoting: Quoting = csv.QUOTE_NONE if self._quotes == "none" else csv.QUOTE_MINIMAL
        skip = self._skips_space
        return csv.reader(lines, delimiter=self._delimiter, quoting=quoting, skipinitialspace=skip, strict=True)

    def _one_by_one(self) -> Iterator[Record]:
        """Records with great care, until the lines that were put back are used up."""
        reader = self._reader(self._source)
        source, taken = self._source, self._source.taken
        while source.has_back:
            number = source.next_number
            taken.clear()
            try:
                cells = next(reader)
            except (csv.Error, _Swallowed) as error:
                yield self._broken(taken, number, error)
                continue
            if len(taken) == 1:
                if self._is_open and taken[0].count('"') % 2 and self._quotes != "none":
                    self._is_open = False
                    problem = f"a quote mark closes nothing: {excerpt(taken[0])}"
                    yield Record((), number, 1, problem)
                else:
                    yield Record(cells, number, 1)
            elif self._quotes == "trust" or (len(cells) == self._num_columns and not self._is_swallowed(taken, number)):
                yield Record(cells, number, len(taken))
            else:
                yield self._broken(taken, number, None)

    def _broken(self, taken: list[str], number: int, error: Exception | None) -> Record:
        """The first line as a record by itself; the others are read again."""
        line, num_lines = taken[0], len(taken)
        if '\\"' in line:
            escaped = self._escaped(taken)
            if escaped is not None:
                self.num_escaped += 1
                return Record(escaped, number, num_lines)
        self._source.put_back(taken[1:])
        self._is_open = line.count('"') % 2 == 1
        if num_lines > 1 and not isinstance(error, csv.Error):
            why = f"a quote mark opens a cell that would take {num_lines} lines, which are rows of their own"
        elif "end of data" in str(error) or num_lines > 1:
            why = "a quote mark opens a cell and does not close it"
        else:
            why = str(error)
        return Record((), number, 1, f"{why}: {excerpt(line)}")

    def _escaped(self, taken: list[str]) -> list[str] | None:
        """The cells of these lines, if a backslash escapes their quote marks."""
        try:
            rows = list(csv.reader(taken, delimiter=self._delimiter, escapechar="\\", doublequote=False, strict=True))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 and len(rows[0]) == self._num_columns else None

    def _look(self, taken: Sequence[str]) -> None:
        """Called of a cell that stays open for long."""
        if self._quotes == "check" and self._num_columns > 1 and self._share_of_rows(taken[:-1]) >= _MOST:
            raise _Swallowed

    def _is_swallowed(self, taken: Sequence[str], number: int) -> bool:
        if self._num_columns < 2 or self._share_of_rows(taken) < (_MOST if len(taken) >= 10 else 1.0):
            return False
        if self._closed:
            return self._share_of_known(taken) >= _MOST
        most = _MOST_BY_CHANCE if self._is_well_quoted else 2
        if len(taken) > most or self._num_columns > 3:
            return True
        self.doubtful.append(number)
        return False

    def _share_of_rows(self, lines: Sequence[str]) -> float:
        return len(self._rows_among(lines)) / len(lines)

    def _share_of_known(self, lines: Sequence[str]) -> float:
        """The largest share of the lines that have a known value in one of the columns with few values."""
        rows = self._rows_among(lines)
        return max(
            sum(cells[column] in values for cells in rows) / len(lines) for column, values in self._closed.items()
        )

    def _rows_among(self, lines: Sequence[str]) -> list[list[str]]:
        """The cells of those lines that have as many as a row."""
        found = (alone(line, self._delimiter, self._skips_space) for line in lines)
        return [cells for cells in found if cells is not None and len(cells) == self._num_columns]


class _Lines:
    """Lines that can be put back; those of the record under way are in `taken`."""

    def __init__(self, lines: Iterator[str], look: object) -> None:
        self._lines = lines
        self._look = look
        self._back: list[str] = []
        self.taken: list[str] = []
        self.next_number = 1
        self._num_again = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._back.pop() if self._back else next(self._lines)
        taken = self.taken
        taken.append(line if taken else line.removeprefix(_MARK))
        line = taken[-1]
        self.next_number += 1
        size = len(taken)
        if size >= _FIRST_LOOK and not size & (size - 1):
            self._look(taken)  # type: ignore[operator]
        return line

    @property
    def has_back(self) -> bool:
        return bool(self._back)

    def block(self, size: int) -> list[str]:
        """Up to so many of the next lines."""
        lines = list(islice(self._lines, size))
        self.next_number += len(lines)
        return lines

    def put_back(self, lines: Sequence[str], *, is_again: bool = True) -> None:
        """Lines to be read next. `is_again`: that were looked at one by one already."""
        self._back += reversed(lines)
        self.next_number -= len(lines)
        self._num_again += len(lines) if is_again else 0
        if self._num_again > _MAX_AGAIN * (self.next_number + 10_000):
            raise DataError(
                "quote marks that open cells are not closed in very many places",
                remedy="If they are plain text, say so: data.quotes=none.",
            )
