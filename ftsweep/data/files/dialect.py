"""How a table is written: what separates its cells, and whether its first line names the columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

_CANDIDATES = (",", "\t", ";", "|")
_MIN_AGREEMENT = 0.9
"""Share of a sample's rows that have as many cells as the first."""
_LONG_NAME = 60  # characters that no column's name has
_MAX_VALUES = 50
_MIN_SEEN = 10
_LABELS = {"label", "labels", "class", "category", "sentiment", "rating", "stars", "score", "intent", "topic", "target"}
"""Words that name a column of few values."""
_DOUBLED = re.compile(r'\w""|""\w')


Quoting = Literal[0, 3]
"""csv.QUOTE_MINIMAL, or csv.QUOTE_NONE: quote marks are text."""


@dataclass(frozen=True)
class Dialect:
    """What a sample of a table shows."""

    delimiter: str
    first: tuple[str, ...]
    """The cells of the first line, as written."""
    num_before: int
    """Lines before it: blank ones, Excel's `sep=;`, and comments."""
    seems_headless: bool
    """Whether the first line looks like the others."""
    skips_space: bool = False
    """Whether a space behind a separator belongs to it: `text, label`, then `"a, b", "good"`."""
    rows: Sequence[Sequence[str]] = ()
    """The sample's rows behind it that have as many cells."""
    num_behind: int = 0
    """Cells of the lines behind the first where that one has no more than one: it is a title then."""
    num_comments: int = 0
    """Lines before the first that begin with # and are no row."""
    num_title: int = 1
    """Lines from the first to the next one that has cells, where it is a title."""
    is_sure: bool = True
    """Whether its first line has several cells, and nearly all rows have as many."""


def find_dialect(
    lines: Sequence[str], *, default: str, said: str | None, wanted: Sequence[str], quoting: Quoting
) -> Dialect:
    """The dialect of a table that begins with these lines (whole ones, with their ends)."""
    num_before = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    body = lines[num_before:]
    told = body[0].strip().strip('"') if body else ""
    if told.startswith("sep=") and len(told) == 5:
        said, num_before, body = said or told[4], num_before + 1, body[1:]
    marked = next((number for number, line in enumerate(body) if not line.startswith("#")), 0)
    delimiter = said or _likeliest(body[marked:], default, wanted, quoting)
    num_comments = _num_comments(body[: marked + 1], delimiter, wanted) if marked else 0
    num_before, body = num_before + num_comments, body[num_comments:]
    skips_space = quoting == csv.QUOTE_MINIMAL and _skips_space(body, delimiter)
    records = list(_records(body, delimiter, quoting, skips_space))
    first, others = tuple(records[0]) if records else (), records[1:]
    size = _usual_size(others)
    counts_rows = _are_row_names(others, size)
    if size == len(first) + 1 and counts_rows and first[:1] != ("",):
        first = ("", *first)
    is_alone = sum(map(bool, map(str.strip, first))) == 1 and not (counts_rows and not first[0].strip())
    is_title = size > 1 and is_alone and (len(first) == 1 or not set(first) & set(wanted))
    num_title = 1 + next((place for place, cells in enumerate(others) if any(map(str.strip, cells))), 0)
    num_behind = size if is_title and sum(map(bool, others[num_title - 1])) > 1 else 0
    seems_headless = _seems_headless(first, others, wanted)
    rows = [cells for cells in others if len(cells) == len(first)]
    is_sure = len(first) > 1 and len(rows) >= _MIN_AGREEMENT * len(others)
    counts = (num_behind, num_comments, num_title)
    return Dialect(delimiter, first, num_before, seems_headless, skips_space, rows, *counts, is_sure)


def _num_comments(lines: Sequence[str], delimiter: str, wanted: Sequence[str]) -> int:
    """How many of these lines, all but the last of which begin with #, are comments and no names of columns or rows.

    All of them where the last has names that are wanted; else those before the first that has as many cells as it.
    """
    *marked, behind = [[cell.strip() for cell in alone(line, delimiter) or ()] for line in lines]
    names = {name.lower() for name in wanted}
    if names & {cell.lower() for cell in behind}:
        return len(marked)
    return next(
        (place for place, cells in enumerate(marked) if len(cells) == len(behind) or names & set(cells)), len(marked)
    )


def _usual_size(records: Sequence[Sequence[str]]) -> int:
    """How many cells nearly all of these rows have; 0 when they differ."""
    sizes = Counter(map(len, records))
    size, count = max(sizes.items(), key=lambda each: each[1], default=(0, 0))
    return size if count >= _MIN_AGREEMENT * len(records) else 0


def _are_row_names(records: Sequence[Sequence[str]], size: int) -> bool:
    """Whether rows begin with numbers that count them and that the header has no name for, as R and others write."""
    firsts = [cells[0].strip() for cells in records if len(cells) == size]
    if len(firsts) < 2 or not all(first.isdecimal() for first in firsts):
        return False
    numbers = list(map(int, firsts))
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _skips_space(lines: Sequence[str], delimiter: str) -> bool:
    """Whether the header has a space behind every separator, and quoted cells have one, too."""
    names = lines[0].rstrip("\r\n").split(delimiter)[1:] if lines and delimiter != " " else []
    return (
        bool(names) and all(name.startswith(" ") for name in names) and any(f'{delimiter} "' in line for line in lines)
    )


def closed_values(lines: Sequence[str], dialect: Dialect) -> dict[int, set[str]]:
    """The values of columns that have only a few, from lines that are whole rows: what a label's column looks like.

    A line on which a cell of several lines begins or ends is no row, and what stands once may be a piece of a text.
    """
    num_columns = len(dialect.first)
    cells_of = (alone(line, dialect.delimiter, dialect.skips_space) for line in lines if line.count('"') % 2 == 0)
    rows = [cells for cells in cells_of if cells is not None and len(cells) == num_columns]
    found = {}
    for column in range(num_columns):
        counts = Counter(cell for cells in rows if (cell := cells[column]).strip())
        again = {value for value, count in counts.items() if count > 1}
        is_closed = sum(counts[value] for value in again) >= _MIN_AGREEMENT * (total := counts.total())
        if total >= _MIN_SEEN and is_closed and len(counts) <= min(_MAX_VALUES, total / 4):
            found[column] = again
    return found


def quotes_where_needed(lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether marks in texts are doubled, or cells with the separator quoted, as by a program that writes tables."""
    if any(_DOUBLED.search(line) for line in lines):
        return True
    whole = (line for line in lines if '"' in line and line.count('"') % 2 == 0)
    cells_of = (alone(line, dialect.delimiter, dialect.skips_space) for line in whole)
    return any(dialect.delimiter in cell for cells in cells_of if cells is not None for cell in cells)


def alone(line: str, delimiter: str, skips_space: bool = False) -> list[str] | None:
    """The cells of a line by itself, quote marks taken as text where they do not pair up; None of a blank one."""
    if '"' in line:
        try:
            return next(csv.reader([line], delimiter=delimiter, skipinitialspace=skips_space, strict=True), None)
        except csv.Error:
            pass
    text = line.rstrip("\r\n")
    cells = text.split(delimiter) if text else None
    return [cell.lstrip(" ") for cell in cells] if cells and skips_space else cells


def _likeliest(lines: Sequence[str], default: str, wanted: Sequence[str], quoting: Quoting) -> str:
    """The separator whose header has the most wanted names, whose rows agree with it, that makes columns of classes."""

    def score(delimiter: str) -> tuple[int, bool, bool, bool, int]:
        records = list(_records(lines, delimiter, quoting))
        if not records or len(records[0]) < 2:
            return (0, False, False, False, 0)
        size = len(records[0])
        agreement = sum(len(cells) == size for cells in records) / len(records)
        names = {cell.strip() for cell in records[0]}
        agrees = agreement >= _MIN_AGREEMENT
        whole = [cells for cells in records[1:] if len(cells) == size] if agrees else []
        has_classes = any(_is_closed(Counter(map(str.strip, column))) for column in zip(*whole, strict=True))
        return (len(names & set(wanted)), agrees, has_classes, delimiter == default, size)

    best = max((default, *_CANDIDATES), key=score)
    num_names, agrees, *_ = score(best)
    if not num_names and lines:  # another sign, if it parts the header into names that are wanted
        others = {sign for sign in lines[0].strip() if not sign.isalnum() and sign not in " _-.'\"\\/()[]{}#"}
        odd = max(sorted(others - {default, *_CANDIDATES}), key=score, default=default)
        if score(odd) >= (1, True, False, False, 2):
            return odd
    return best if num_names or agrees else default


def _records(lines: Sequence[str], delimiter: str, quoting: Quoting, skips_space: bool = False) -> Iterator[list[str]]:
    """Rows of a sample; where a quote mark swallows the rest of it, its lines one by one."""
    try:
        reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=skips_space, strict=True)
        records = [cells for cells in reader if cells]
    except csv.Error:
        records = [cells for line in lines if (cells := alone(line, delimiter, skips_space))]
    return iter(records)


def _seems_headless(first: Sequence[str], others: Sequence[Sequence[str]], wanted: Sequence[str]) -> bool:
    names = [cell.strip().lstrip("\ufeff") for cell in first]
    if not names or {name.lower() for name in names} & {name.lower() for name in wanted}:
        return False
    rows = [cells for cells in others if len(cells) == len(first)]
    if not rows:
        return False
    columns = [Counter(cells[column].strip() for cells in rows) for column in range(len(names))]
    for name, values in zip(names, columns, strict=True):
        if name and (values[name] > 1 or (is_number(name) and all(map(is_number, values)))):
            return True
    if any(_is_closed(values) and _is_name_of(name, values) for name, values in zip(names, columns, strict=True)):
        return False
    return any(len(name) > _LONG_NAME or name.count(" ") > 5 for name in names)


def _is_closed(values: Counter[str]) -> bool:
    """Whether a column has a few values, each of them several times."""
    total = values.total()
    return total >= 2 * _MIN_SEEN and 2 <= len(values) <= min(_MAX_VALUES, total / 4) and min(values.values()) > 1


def _is_name_of(name: str, values: Counter[str]) -> bool:
    """Whether a first cell names a column of few values, and is not another value, which stands there but once."""
    if not name or name in values:
        return False
    is_longer = name.count(" ") > max(value.count(" ") for value in values)
    return is_longer or all(map(is_number, values)) or not _LABELS.isdisjoint(re.split(r"[\W_]+", name.lower()))


def is_number(text: str) -> bool:
    """Whether a cell is a number as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True
