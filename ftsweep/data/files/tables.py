"""Rows of csv and tsv files as people write them. Cells are text, as they stand (`007` stays so)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice

from ftsweep.data.files.base import DELIMITER_NAMES, OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.dialect import Dialect, Quoting, closed_values, find_dialect
from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.records import Record, Records
from ftsweep.data.files.text import excerpt, opened_text, undecoded
from ftsweep.errors import DataError

_SAMPLE_LINES = 500
_SAMPLE_CHARACTERS = 4_000_000
_LONG = 20
"""Lines of one row from which on it is compared to the others."""

_TIMES = 10
"""Times the usual number of lines that a row may take without being told."""

_NUM_SHOWN = 5


class TableFile(OpenedFile):
    """A csv or tsv file."""

    remedy = (
        'Every line must have one cell per column; put cells with separators or line ends in "quotes", and write a '
        "quote mark inside of them twice. Where quote marks are plain text: data.quotes=none; "
        "where another sign separates the cells: data.delimiter"
    )

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding) -> None:
        super().__init__(file, settings, encoding)
        self._default = "\t" if file.format == "tsv" else ","
        with opened_text(file, encoding) as text:
            self._sample = _sample(text)
        self._dialect = self._find_dialect()
        self.facts.delimiter = self._dialect.delimiter
        self.facts.has_header = settings.header if settings.header is not None else True
        self._columns = self._find_columns()
        self.facts.columns = tuple(dict.fromkeys(name for name, _ in self._columns))
        if self._dialect.delimiter != self._default and settings.delimiter is None:
            name = DELIMITER_NAMES.get(self._dialect.delimiter, repr(self._dialect.delimiter))
            self.assumed.append(
                self.note("delimiter", f"separates its cells with {name} (data.delimiter={name} says it)")
            )

    @property
    def seems_headless(self) -> bool:
        """Whether the first line looks like a row, and nothing says that it names the columns."""
        return self._dialect.seems_headless and self.settings.header is None

    def rows(self) -> Iterator[RawRow]:
        num_columns = len(self._dialect.first)
        if not num_columns:
            return
        picks = [(name, place) for name, place in self._columns if self._is_asked(name)]
        may_be_damaged = bool(self.encoding and self.encoding.num_bad_lines)
        trailing, blank, spans = [], [], _Spans()
        for record in self._records(num_columns):
            cells = record.cells
            if record.problem:
                yield RawRow({}, record.number, record.problem)
                continue
            if not any(cells):
                blank += [record.number] if cells else []
                continue
            spans.add(record)
            if len(cells) != num_columns:
                if len(cells) > num_columns and not any(cells[num_columns:]):
                    trailing.append(record.number)
                else:
                    yield RawRow({}, record.number, self._miscounted(cells, num_columns))
                    continue
            values = {name: cells[place] for name, place in picks}
            problem = damage_in(values, is_decoded=not may_be_damaged)
            yield RawRow({} if problem else values, record.number, problem)
        self._tell(trailing, blank, spans)

    def _records(self, num_columns: int) -> Iterator[Record]:
        assert self.encoding is not None
        dialect, quotes = self._dialect, self.settings.quotes
        lines = self._sample[dialect.num_before :]
        closed = closed_values(lines[1:], dialect.delimiter, num_columns) if quotes == "check" else {}
        with opened_text(self.file, self.encoding) as text:
            for _ in range(dialect.num_before):
                next(text, None)
            records = Records(text, delimiter=dialect.delimiter, num_columns=num_columns, quotes=quotes, closed=closed)
            try:
                shift = dialect.num_before
                if self.facts.has_header:
                    skipped = next(iter(records), None)
                    del skipped
                for record in records:
                    yield record._replace(number=record.number + shift) if shift else record
            except DataError as error:
                raise DataError(error.what, where=self.file.where, remedy=error.remedy) from None
        if records.num_escaped:
            self.seen.append(self.note("quotes", f"escapes quote marks by a backslash on {records.num_escaped} lines"))
        if records.doubtful:
            self.seen.append(
                self.warn(
                    "quotes",
                    f"has {len(records.doubtful)} quoted cells with a line end that may as well be a row of their own",
                    count=len(records.doubtful),
                    examples=tuple(f"{self.file.name}:{number + shift}" for number in records.doubtful[:_NUM_SHOWN]),
                    remedy="Look at these lines: is a quote mark missing",
                )
            )

    def _find_dialect(self) -> Dialect:
        settings = self.settings
        names = [*settings.wanted, *settings.asked_names]
        quoting: Quoting = csv.QUOTE_NONE if settings.quotes == "none" else csv.QUOTE_MINIMAL
        return find_dialect(self._sample, default=self._default, said=settings.delimiter, wanted=names, quoting=quoting)

    def _find_columns(self) -> list[tuple[str, int]]:
        """Names with their places. Names of numbers are those of columns by number, where the user asks for it."""
        first = [cell.strip().lstrip("\ufeff").strip() for cell in self._dialect.first]
        by_number = [(str(place + 1), place) for place in range(len(first))]
        if not self.facts.has_header:
            return by_number
        named = [(name, place) for place, name in enumerate(first) if name]
        asked = self.settings.asked_names - set(first)
        self._tell_unnamed([place for place, name in enumerate(first) if not name])
        self._check_twice(first)
        unique = list({name: (name, place) for name, place in reversed(named)}.values())[::-1]
        return unique + [(number, place) for number, place in by_number if number in asked]

    def _check_twice(self, first: Sequence[str]) -> None:
        """Refuse a doubled column that is asked for; tell of others."""
        twice = [name for name in dict.fromkeys(first) if name and first.count(name) > 1]
        if not twice:
            return
        read = {str(self.settings.mapping.get(name, name)) for name in self.settings.wanted} | self.settings.asked_names
        wrong = next((name for name in twice if name in read), None)
        if wrong is not None:
            places = [place + 1 for place, name in enumerate(first) if name == wrong]
            task = next((key for key, name in self.settings.mapping.items() if name == wrong), wrong)
            raise DataError(
                f"has more than one column {wrong!r} (columns {' and '.join(map(str, places))})",
                where=f"{self.file.where}:{self._dialect.num_before + 1}",
                remedy=f"Say which by its number, such as data.columns.{task}={places[0]}, or rename one.",
            )
        told = ", ".join(repr(name) for name in twice[:_NUM_SHOWN])
        self.assumed.append(self.note("columns", f"has more than one column {told}; the first of each counts"))

    def _tell_unnamed(self, places: Sequence[int]) -> None:
        if places:
            shown = ", ".join(str(place + 1) for place in places[:_NUM_SHOWN]) + (
                ", ..." if len(places) > _NUM_SHOWN else ""
            )
            what = "column without a name is" if len(places) == 1 else "columns without a name are"
            self.assumed.append(self.note("columns", f"{len(places)} {what} passed over: {shown}"))

    def _is_asked(self, name: str) -> bool:
        keep = self.settings.keep
        return keep is None or name in keep

    def _miscounted(self, cells: Sequence[str], num_columns: int) -> str:
        return f"{len(cells)} cells, {num_columns} columns: {excerpt(self._dialect.delimiter.join(cells))}"

    def _tell(self, trailing: list[int], blank: list[int], spans: _Spans) -> None:
        name = self.file.name
        for numbers, what in (
            (trailing, "have more cells than columns, all of them empty"),
            (blank, "have only empty cells"),
        ):
            if numbers:
                shown = tuple(f"{name}:{number}" for number in numbers[:_NUM_SHOWN])
                self.seen.append(
                    self.note("columns", f"{len(numbers)} lines {what}", count=len(numbers), examples=shown)
                )
        if spans.is_jump:
            self.seen.append(
                self.warn(
                    "lines",
                    f"gave {spans.num_rows} rows of {spans.num_lines} lines: one row takes {spans.longest} of them",
                    count=1,
                    examples=(f"{name}:{spans.place}",),
                    remedy="Look at this row: is a quote mark missing",
                )
            )


class _Spans:
    """How many lines rows take."""

    def __init__(self) -> None:
        self.num_rows = 0
        self.num_lines = 0
        self.longest = 0
        self.place = 0

    def add(self, record: Record) -> None:
        self.num_rows += 1
        self.num_lines += record.num_lines
        if record.num_lines > self.longest:
            self.longest, self.place = record.num_lines, record.number

    @property
    def is_jump(self) -> bool:
        """Whether one row takes many more lines than the others do."""
        others = (self.num_lines - self.longest) / max(self.num_rows - 1, 1)
        return self.longest >= _LONG and self.longest > _TIMES * max(others, 1)


def damage_in(values: dict[str, str], *, is_decoded: bool) -> str:
    """Why a row's cells are no text; "" when they are."""
    for name, cell in values.items():
        if "\0" in cell:
            return f"{name!r} holds a NUL byte"
        if not is_decoded and (byte := undecoded(cell)) is not None:
            return f"{name!r} cannot be decoded ({byte})"
    return ""


def _sample(text: Iterator[str]) -> list[str]:
    """The first lines of a file, so many that their dialect shows."""
    lines: list[str] = []
    size = 0
    for line in islice(text, _SAMPLE_LINES):
        lines.append(line)
        size += len(line)
        if size > _SAMPLE_CHARACTERS:
            break
    return lines
