"""Lines behind the first one of a table that tell of its columns and are no rows: types, questions of a survey."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from ftsweep.data.files.dialect import is_number
from ftsweep.data.files.text import excerpt
from ftsweep.errors import DataError

_TYPE = re.compile(
    r"(?i)(str|string|text|object|n?(var)?char2?(\((\d+|max)\))?|(big|small|tiny|medium|u)?int(eger)?\d{0,2}(\(\d+\))?|"
    r"long|float(32|64)?|double( precision)?|real|(decimal|numeric|number)(\([\d, ]+\))?|bool(ean)?|date(time)?|"
    r"timestamp|time|categor(y|ical)|continuous|discrete|nominal)"
)
_WORD = re.compile(r"(?i)text|object|long|double|real|number|date|time|discrete|continuous|nominal|category")
"""Types that are words, too."""
_FLAG = re.compile(r"(?i)(class|meta|ignore|skip|i|m|c)?")
"""What Orange writes below the types."""
_IMPORT = '{"ImportId":'
"""What every cell of Qualtrics' third line begins with; the second line holds the questions."""
_FEW = 0.05
_MOST = 0.9
_LONGEST_NAME = 60
_MOST_SPACES = 5
_FEWEST_ROWS = 10
_FEWEST_WORDS = 3


def lines_about_columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The first of a table's rows that tell of its columns: types below the names, or questions and ids of Qualtrics.

    A line of types is one of which hardly any other row has such words.
    """
    first, second = [*map(list, rows[:2]), [], []][:2]
    if _are_imports(first):
        return [first]
    if _are_imports(second):
        return [first, second]
    if len(first) < 2 or not all(_TYPE.fullmatch(cell.strip()) for cell in first):
        return []
    others = [cell for cells in rows[1:] for cell in cells]
    if sum(_TYPE.fullmatch(cell.strip()) is not None for cell in others) > _FEW * len(others):
        return []
    if _may_be_words(first, rows[1:]):
        return []
    are_flags = any(cell.strip() for cell in second) and all(_FLAG.fullmatch(cell.strip()) for cell in second)
    return [first, second] if are_flags else [first]


def _may_be_words(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a line of types is a row as well: words, above single words that are no numbers, as of a dictionary."""
    others = [cell.strip() for cells in rows for cell in cells]
    is_word = all(_WORD.fullmatch(cell.strip()) for cell in first)
    return is_word and not any(" " in cell or any(map(str.isdigit, cell)) for cell in others)


def _are_imports(cells: Sequence[str]) -> bool:
    said = [cell for cell in cells if cell.strip()]
    return bool(said) and all(cell.startswith(_IMPORT) for cell in said)


def refuse_groups(first: Sequence[str], rows: Sequence[Sequence[str]], where: str, number: int) -> None:
    """Raise DataError for a table whose first line, with this number, names groups of columns."""
    if not _names_stand_below(first, rows):
        return
    groups = excerpt(", ".join(filter(None, first)))
    raise DataError(
        f"its first line names groups of columns ({groups}), and the line behind it the columns themselves: "
        f"{excerpt(', '.join(rows[0]))}",
        where=f"{where}:{number}",
        remedy=f"Take the first line out (tail -n +{number + 1} OLD > NEW); if the second line is a row, write a name "
        "above every column.",
    )


def _names_stand_below(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line names groups of columns, and the one behind it the columns: two lines of names.

    So it is where a column without a name is filled, and the next line holds a name of its own for each column, one
    that is no number above numbers or no class above classes.
    """
    unnamed = [place for place, name in enumerate(first) if not name.strip() and place]
    if not unnamed or len(rows) < _FEWEST_ROWS:
        return False
    names, others = [cell.strip() for cell in rows[0]], rows[1:]
    if not all(names) or len(set(names)) < len(names) or any(map(_is_no_name, names)):
        return False
    columns = [[cells[place].strip() for cells in others] for place in range(len(first))]
    if any(sum(map(bool, columns[place])) < _MOST * len(others) for place in unnamed):
        return False
    if any(name in column or _is_like(name, column) for name, column in zip(names, columns, strict=True)):
        return False
    return any(map(_are_values, columns))


def _is_no_name(cell: str) -> bool:
    return len(cell) > _LONGEST_NAME or cell.count(" ") > _MOST_SPACES or is_number(cell)


def _is_like(name: str, column: Sequence[str]) -> bool:
    """Whether a name is a text as the column's are: of three words or more, and about as many as theirs."""
    usual, number = median(len(cell.split()) for cell in column), len(name.split())
    return number >= _FEWEST_WORDS and usual / 2 <= number <= 2 * usual


def _are_values(column: Sequence[str]) -> bool:
    """Whether a column holds numbers alone, or a few values that come again."""
    counts = Counter(column)
    return all(map(is_number, counts)) or (2 <= len(counts) <= len(column) / 4 and min(counts.values()) > 1)
