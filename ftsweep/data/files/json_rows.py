"""Rows of JSON lines, and of a JSON file that holds them all: a list, columns, or a list under a name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn

from ftsweep.data.files.base import Batch, OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.inner import MISSING, with_inner
from ftsweep.data.files.json_tables import several_tables, table_in
from ftsweep.data.files.json_text import Twice, has_comma_at_end, parsed, parsed_lines, several, twice_in
from ftsweep.data.files.json_ways import apart_way, way_of_value
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.text import excerpt, opened_text, undecoded
from ftsweep.errors import DataError

_BLOCK = 1024
"""Lines that are parsed at once, and one by one only where one of them is no object."""

_NUM_FIRST = 20
"""Rows whose keys are the columns that a file is said to have."""


class JsonLines(OpenedFile):
    """One JSON object a line."""

    remedy = 'Every line must be one JSON object, such as {"text": "...", "label": "..."}'

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding) -> None:
        super().__init__(file, settings, encoding)
        names: dict[str, None] = {}
        for row, _ in zip(self.rows(), range(_NUM_FIRST), strict=False):
            names |= dict.fromkeys(row.values)
        self._has_columns(names)

    def rows(self) -> Iterator[RawRow]:
        self._num_commas = self._num_several = 0
        for number, line in self._lines():
            if not line.isspace():
                yield from self._rows_of(line, number)
        self._tell()

    def batches(self) -> Iterator[Batch | RawRow]:
        self.num_bad, self.seen = 0, []
        self._num_commas = self._num_several = 0
        lines = self._lines()
        while block := list(islice(lines, _BLOCK)):
            batch = self._batch([line for _, line in block], block[0][0])
            if batch is not None:
                yield batch
                continue
            for number, line in block:
                for row in () if line.isspace() else self._rows_of(line, number):
                    self.num_bad += bool(row.problem)
                    yield row
        self._tell()

    def _tell(self) -> None:
        for number, what in (
            (self._num_commas, "ends lines with a comma, which is passed over"),
            (self._num_several, "has lines with several objects behind each other, each of them a row"),
        ):
            if number:
                self.seen.append(self.note("lines", f"{what} ({number} lines)"))

    def _lines(self) -> Iterator[tuple[int, str]]:
        assert self.encoding is not None
        # a file of old Macs has no "\n" at all
        newline = None if self.encoding.num_lines <= 1 else "\n"
        with opened_text(self.file, self.encoding, newline=newline) as text:  # type: ignore[arg-type]
            for number, line in enumerate(text, start=1):
                yield number, line.lstrip("\ufeff") if number == 1 else line

    def _rows_of(self, line: str, number: int) -> Iterator[RawRow]:
        assert self.encoding is not None
        is_damaged = bool(self.encoding.num_bad_lines)
        for row in _rows_of(line, number, is_damaged):
            if not row.problem:
                yield row._replace(values=with_inner(row.values, self._inner))
                continue
            is_followed = row.problem.startswith("Extra data") and not is_damaged and "\\ud" not in line.lower()
            more = several(line.rstrip().removesuffix(",")) if is_followed else []
            if not more or any(map(twice_in, more)):
                yield row
                continue
            self._num_commas += line.rstrip().endswith(",")
            self._num_several += len(more) > 1
            yield from (RawRow(with_inner(values, self._inner), number) for values in more)

    def _batch(self, lines: list[str], first: int) -> Batch | None:
        """The rows of whole lines with the same keys, parsed at once; None of others, to be parsed one by one."""
        assert self.encoding is not None
        if self.encoding.num_bad_lines or not all(
            line.startswith("{") and line.rstrip().endswith("}") for line in lines
        ):
            return None
        joined = f"[{','.join(lines)}]"
        if "\\ud" in joined or "\\uD" in joined:  # may be half a character
            return None
        try:
            rows, is_sure = parsed_lines(joined, is_flat="{" not in lines[0][1:])
        except (ValueError, RecursionError, TypeError):
            return None
        if not is_sure or len(rows) != len(lines) or not all(type(row) is dict for row in rows):
            return None
        names = rows[0].keys()
        if not names or any(row.keys() != names for row in rows):
            return None
        keep = self.settings.keep
        columns = {name: [row[name] for row in rows] for name in names if keep is None or name in keep}
        columns |= {name: [read(row) for row in rows] for name, read in self._inner.items()}
        if any(MISSING in cells for cells in columns.values() if self._inner):
            return None
        return Batch(first, columns) if columns else None


def _rows_of(line: str, number: int, is_damaged: bool) -> Iterator[RawRow]:
    try:
        value = parsed(line := line.removeprefix("\ufeff"))  # of a file that was put together of several
        if "\\u" in line:
            check_whole(value)
    except (ValueError, RecursionError) as error:
        parts = [part for part in line.split("\r") if part.strip()]
        if len(parts) > 1:
            for part in parts:
                yield from _rows_of(part, number, is_damaged)
        elif is_damaged and (byte := undecoded(line)) is not None:
            yield RawRow({}, number, f"cannot be decoded ({byte}): {excerpt(line)}")
        else:
            yield RawRow({}, number, f"{parse_text(error)}: {excerpt(line)}")
        return
    if not isinstance(value, dict):
        yield RawRow({}, number, f"not an object: {excerpt(line)}")
    elif is_damaged and (byte := undecoded(line)) is not None:
        yield RawRow({}, number, f"cannot be decoded ({byte}): {excerpt(line)}")
    elif twice := twice_in(value):
        yield RawRow({}, number, f"{twice}: {excerpt(line)}")
    else:
        yield RawRow(value, number)


class JsonFile(OpenedFile):
    """One JSON value that holds all rows."""

    remedy = 'The file must hold a list of objects, [{"text": "..."}, ...], or one object per line'

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding) -> None:
        super().__init__(file, settings, encoding)
        self._values = self._parsed()
        names: dict[str, None] = {}
        for value in self._values[:_NUM_FIRST]:
            names |= dict.fromkeys(value if isinstance(value, Mapping) else ())
        self._has_columns(names)

    def rows(self) -> Iterator[RawRow]:
        for number, value in enumerate(self._values, start=1):
            if twice := twice_in(value):
                yield RawRow({}, number, twice)
            elif isinstance(value, Mapping):
                yield RawRow(with_inner(value, self._inner), number)
            else:
                yield RawRow({}, number, f"not an object: {excerpt(repr(value))}")

    def _parsed(self) -> Sequence[Any]:
        assert self.encoding is not None
        with opened_text(self.file, self.encoding) as file:
            text = file.read().lstrip("\ufeff")
        if not text.strip():
            return []
        try:
            value = parsed(text)
            if "\\u" in text:
                check_whole(value)
        except json.JSONDecodeError as error:
            if objects := several(text) if error.msg == "Extra data" else []:
                self.assumed.append(
                    self.note("lines", f"holds {len(objects)} objects behind each other, each of them a row")
                )
                return objects
            line = text.split("\n")[error.lineno - 1]
            comma = "a comma stands before the end of a list or an object; take it out"
            why = comma if has_comma_at_end(text, error.pos) else f"{error.msg}: {excerpt(line)}"
            self._refuse(why, error.lineno)
        except (ValueError, RecursionError) as error:
            self._refuse(parse_text(error), None)
        if self.encoding.num_bad_lines and (byte := undecoded(text)) is not None:
            self._refuse(f"cannot be decoded ({byte})", self.encoding.first_line)
        if isinstance(value, Twice) and value.is_own:
            self._refuse(twice_in(value), None)
        if names := several_tables(value):
            raise DataError(
                f"holds several lists of rows: {', '.join(f'{name} ({len(value[name])})' for name in names)}",
                where=self.file.where,
                remedy=apart_way(value, names, self.file),
            )
        rows, how = table_in(value)
        if rows is None:
            raise DataError(
                f"holds one {type(value).__name__}, not a list of rows",
                where=self.file.where,
                remedy=f"{self.remedy}. {way_of_value(value, self.file)}".strip(),
            )
        if how:
            self.assumed.append(self.note("columns", how))
        return rows

    def _refuse(self, why: str, line: int | None) -> NoReturn:
        where = self.file.where if line is None else f"{self.file.where}:{line}"
        raise DataError(f"cannot be read as JSON: {why}", where=where, remedy=self.remedy)


def is_lines(file: DataFile, encoding: Encoding) -> bool:
    """Whether a file with a name of JSON holds an object a line: its first line is one by itself."""
    with opened_text(file, encoding) as text:
        first = next((line for line in text if line.strip("\ufeff \t\r\n")), "").lstrip("\ufeff")
        has_more = any(line.strip() for line in text)
    if not first.lstrip().startswith("{"):
        return False
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        # a first line that is broken, and no beginning of an object over many lines
        return has_more and first.rstrip().endswith("}")
    return has_more or (table_in(value)[0] is None and not several_tables(value))


def is_list(file: DataFile, encoding: Encoding) -> bool:
    """Whether a file with a name of JSON lines holds one list, or objects over several lines each."""
    with opened_text(file, encoding) as text:
        first, second = [*islice((line.strip() for line in text if line.strip("\ufeff \t\r\n")), 2), "", ""][:2]
    first = first.lstrip("\ufeff").lstrip()
    is_begun = first.startswith("{") and not first.endswith(("}", "},")) and second[:1] not in ("", "{")
    return (first.startswith("[") and not first.endswith("]")) or is_begun


def parse_text(error: ValueError | RecursionError) -> str:
    """Why Python's JSON parser gives up: its own words, or that of a limit of Python's."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    if isinstance(error, UnicodeEncodeError):
        return "half a character (an escape \\ud800 to \\udfff that stands alone)"
    return "too deep" if isinstance(error, RecursionError) else "a number with too many digits"


def check_whole(value: Any) -> None:
    """Raise UnicodeEncodeError for text with half a character: JSON may hold it, and no tokenizer takes it."""
    json.dumps(value, ensure_ascii=False).encode("utf-8", "strict")
