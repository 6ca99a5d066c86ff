"""Rows of csv and tsv files as people write them. Cells are text, as they stand (`007` stays so)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from ftsweep.data.files.base import DELIMITER_NAMES, Batch, OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.dialect import Dialect, Quoting, find_dialect
from ftsweep.data.files.disguised import refuse_long_sign
from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.odd_lines import OddLines, is_rule
from ftsweep.data.files.records import PlainRecord, Records
from ftsweep.data.files.second_lines import lines_about_columns, refuse_groups
from ftsweep.data.files.text import damage_in, excerpt, opened_text
from ftsweep.errors import DataError

_SAMPLE_LINES = 500
_SAMPLE_CHARACTERS = 4_000_000
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
        delimiter = self._dialect.delimiter if self._dialect.is_sure else ""
        if settings.delimiter is None and (delimiter != "|" or self._dialect.seems_headless):
            refuse_long_sign(file, self._sample, encoding.name, delimiter=delimiter)
        self.facts.delimiter = self._dialect.delimiter
        self.facts.has_header = settings.header if settings.header is not None else True
        if number := self._dialect.num_comments:
            self.assumed.append(
                self.note("lines", f"begins with {number} lines of comments (#), which are passed over")
            )
        self._about = lines_about_columns(self._dialect.rows) if self.facts.has_header else []
        self._columns = self._find_columns()
        self.facts.columns = tuple(dict.fromkeys(name for name, _ in self._columns))
        names = [cell.strip() for cell in self._dialect.first] if self.facts.has_header else []
        places: dict[str, list[int]] = {}
        for place, name in enumerate(names, start=1):
            places.setdefault(name, []).append(place)
        self.twice = {name: each for name, each in places.items() if name and len(each) > 1}
        """The numbers of columns that have one name, by it."""
        if self._dialect.delimiter != self._default and settings.delimiter is None:
            name = DELIMITER_NAMES.get(self._dialect.delimiter, repr(self._dialect.delimiter))
            self.assumed.append(
                self.note("delimiter", f"separates its cells with {name} (data.delimiter={name} says it)")
            )

    @property
    def seems_headless(self) -> bool:
        """Whether the first line looks like a row, and nothing says that it names the columns."""
        return self._dialect.seems_headless and self.settings.header is None

    @property
    def likely_places(self) -> tuple[int, int]:
        """The numbers of the column with the longest cells, and of the one with the fewest values beside it."""
        columns = list(zip(*self._dialect.rows, strict=True))
        longest = max(range(len(columns)), key=lambda place: sum(map(len, columns[place])), default=0)
        others = [place for place in range(len(columns)) if place != longest]

        def values_in(place: int) -> tuple[bool, int]:
            return len(set(columns[place])) == 1, len(set(columns[place]))

        return longest + 1, min(others, key=values_in, default=longest) + 1

    def rows(self) -> Iterator[RawRow]:
        for each in self._read():
            if isinstance(each, RawRow):
                yield each
            else:
                names = tuple(each.columns)
                for number, cells in enumerate(zip(*each.columns.values(), strict=True), start=each.first):
                    yield RawRow(dict(zip(names, cells, strict=True)), number)

    def batches(self) -> Iterator[Batch | RawRow]:
        self.num_bad, self.seen = 0, []
        for each in self._read():
            self.num_bad += isinstance(each, RawRow) and bool(each.problem)
            yield each

    def _read(self) -> Iterator[Batch | RawRow]:
        num_columns = len(self._dialect.first)
        if not num_columns:
            return
        odd, shift = OddLines(), self._dialect.num_before
        num_skipped = int(bool(self.facts.has_header))
        assert self.encoding is not None
        with opened_text(self.file, self.encoding) as text:
            for _ in range(shift):
                next(text, None)
            sample = self._sample[shift + 1 :]
            records = Records(text, dialect=self._dialect, quotes=self.settings.quotes, sample=sample)
            try:
                for first, cells, others in records.blocks():
                    batch = self._batch(cells[num_skipped:], first + num_skipped + shift, num_columns)
                    if batch is not None:
                        odd.num_rows += len(cells) - num_skipped
                        yield batch
                    else:
                        plain = ((row, number, 1, "") for number, row in enumerate(cells, start=first))
                        yield from self._rows_of(islice(chain(plain, others), num_skipped, None), num_columns, odd)
                    num_skipped = 0
            except DataError as error:
                raise DataError(error.what, where=self.file.where, remedy=error.remedy) from None
        self._tell(odd, records)

    def _batch(self, cells: list[list[str]], first: int, num_columns: int) -> Batch | None:
        """The rows column by column, if every one is whole and no cell needs to be looked at."""
        assert self.encoding is not None
        picks = self._picks()
        if not cells or not picks or self.encoding.may_be_damaged:
            return None
        if set(map(len, cells)) != {num_columns} or not all(map(any, cells)):
            return None
        if self._header_again in cells or is_rule(cells[0]) or any(each in cells for each in self._about):
            return None
        columns = list(zip(*cells, strict=True))
        return Batch(first, {name: columns[place] for name, place in picks})

    @property
    def _header_again(self) -> list[str]:
        """What a line holds that names the columns once more, as files have it that were put together of several."""
        return list(self._dialect.first) if self.facts.has_header and len(self._dialect.first) > 1 else []

    def _picks(self) -> list[tuple[str, int]]:
        keep = self.settings.keep
        return [(name, place) for name, place in self._columns if keep is None or name in keep]

    def _rows_of(self, records: Iterable[PlainRecord], num_columns: int, odd: OddLines) -> Iterator[RawRow]:
        assert self.encoding is not None
        picks, header = self._picks(), self._header_again
        may_be_damaged, is_decoded = self.encoding.may_be_damaged, not self.encoding.num_bad_lines
        shift = self._dialect.num_before
        for cells, number, num_lines, problem in records:
            number += shift
            if problem:
                yield RawRow({}, number, problem)
                continue
            if not any(cells):
                odd.blank += [number] if cells else []
                continue
            if cells == header:
                odd.headers.append(number)
                continue
            if number == shift + 2 and header and is_rule(cells):
                odd.rules.append(number)
                continue
            if not odd.num_rows and cells in self._about:
                odd.about.append(number)
                continue
            odd.num_rows += 1
            if num_lines > 1:
                odd.add_long(number, num_lines)
            if len(cells) != num_columns:
                if len(cells) < num_columns or any(cells[num_columns:]):
                    yield RawRow({}, number, self._miscounted(cells, num_columns))
                    continue
                odd.trailing.append(number)
            values = {name: cells[place] for name, place in picks}
            problem = damage_in(values, is_decoded=is_decoded) if may_be_damaged else ""
            yield RawRow({} if problem else values, number, problem)

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
        if self._dialect.num_behind:
            self._refuse_title()
        refuse_groups(first, self._dialect.rows, self.file.where, self._dialect.num_before + 1)
        named = [(name, place) for place, name in enumerate(first) if name]
        asked = self.settings.asked_names - set(first)
        self._tell_unnamed([place for place, name in enumerate(first) if not name])
        self._check_twice(first)
        unique = list({name: (name, place) for name, place in reversed(named)}.values())[::-1]
        return unique + [(number, place) for number, place in by_number if number in asked]

    def _refuse_title(self) -> None:
        number = self._dialect.num_before + 1
        shown = excerpt(self._dialect.delimiter.join(self._dialect.first).strip(self._dialect.delimiter))
        raise DataError(
            f"its first line has one name, and the lines behind it have {self._dialect.num_behind} cells: {shown}",
            where=f"{self.file.where}:{number}",
            remedy="If it is a title or a comment, take it out "
            f"(tail -n +{number + self._dialect.num_title} OLD > NEW); if every line is one text, say a separator that "
            "none has, such as data.delimiter=tab.",
        )

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

    def _miscounted(self, cells: Sequence[str], num_columns: int) -> str:
        return f"{len(cells)} cells, {num_columns} columns: {excerpt(self._dialect.delimiter.join(cells))}"

    def _tell(self, odd: OddLines, records: Records) -> None:
        """What the rows showed."""
        shift = self._dialect.num_before
        for numbers, what in (
            (odd.trailing, "has lines with more cells than columns, all of them empty"),
            (odd.blank, "has lines with only empty cells, which are passed over"),
            (odd.headers, "names its columns again further down, which is no row"),
            (
                odd.about,
                "has lines below the names of its columns that tell of them, types or questions, and are no rows",
            ),
            (odd.rules, "has a line below the names of its columns, which is no row"),
        ):
            if numbers:
                self.seen.append(self.note("columns", what, count=len(numbers), examples=self._shown(numbers)))
        if records.num_escaped:
            self.seen.append(self.note("quotes", f"escapes quote marks by a backslash on {records.num_escaped} lines"))
        if records.doubtful:
            self.seen.append(
                self.warn(
                    "quotes",
                    f"has {len(records.doubtful)} quoted cells with a line end that may as well be a row of their own",
                    count=len(records.doubtful),
                    examples=self._shown([number + shift for number in records.doubtful]),
                    remedy="Look at these lines: is a quote mark missing",
                )
            )
        if odd.is_jump:
            self.seen.append(
                self.warn(
                    "lines",
                    f"gave {odd.num_rows} rows of {odd.num_lines} lines: one row takes {odd.longest} of them",
                    count=1,
                    examples=self._shown([odd.place]),
                    remedy="Look at this row: is a quote mark missing",
                )
            )

    def _shown(self, numbers: Sequence[int]) -> tuple[str, ...]:
        return tuple(f"{self.file.name}:{number}" for number in numbers[:_NUM_SHOWN])


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
