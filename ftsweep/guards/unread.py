"""What the data have and the model is not shown: columns and fields that nothing reads, what templates drop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ftsweep.data.looking.groups import is_whose
from ftsweep.domain.finding import Severity
from ftsweep.guards.base import NUM_EXAMPLES, DataGuard, Mode, Sighting, percent

if TYPE_CHECKING:
    from ftsweep.data.inspection import DataView

_MAX_NAMED = 12
"""Columns that one finding names."""


class Unread(DataGuard):
    """Content of rows that does not reach the model: columns of the files, fields of messages, what a template drops.

    Args:
        mode: refuse (columns are told, what rows lose is warned of), allow (all is only told) or off.
    """

    def __init__(self, *, mode: Mode = "refuse") -> None:
        super().__init__(mode=mode)

    def look(self, data: DataView) -> Iterator[Sighting]:
        if columns := unread_columns(data):
            are = "column of the data is" if len(columns) == 1 else "columns of the data are"
            more = f" and {len(columns) - _MAX_NAMED} more" if len(columns) > _MAX_NAMED else ""
            named = ", ".join(columns[:_MAX_NAMED]) + more
            has_splits = any(map(_is_of_splits, columns))
            hint = "; data.split reads a column that says the split of each row" if has_splits else ""
            if data.source.group is None and (whose := next(filter(is_whose, columns), None)) is not None:
                is_made = any(data.origin.get(split) != "named" for split in data.held_out)
                keeps = "keeps rows with one {!r} in one split" if is_made else "finds rows with one {!r} on both sides"
                hint += f"; data.group {keeps.format(whose)}, where they tell of each other"
            yield Sighting(
                what=f"{len(columns)} {are} not used, nothing reads {named} (data.columns says what is read){hint}",
                count=len(columns),
                num_rows=0,
            )
        num_rows = sum(map(len, data.rows.values()))
        for clause, by_split in data.encoding.unsaid.items():
            found = [data.rows[split][place].place for split, rows in by_split.items() for place in rows[:NUM_EXAMPLES]]
            count = sum(map(len, by_split.values()))
            yield Sighting(
                what=f"{count} of {num_rows} rows ({percent(count / num_rows)}) do not reach the model as they are: "
                f"{clause}",
                count=count,
                num_rows=num_rows,
                examples=tuple(found[:NUM_EXAMPLES]),
                severity=Severity.NOTE if self.mode == "allow" else Severity.WARN,
                remedy="Take it out of the rows, or use a model whose chat template writes it",
            )


def unread_columns(data: DataView) -> list[str]:
    """Columns of the files that are none of those the task can read, nor the group's, by the files' own names."""
    mapping = getattr(data.source, "columns", None) or {}
    group = [name for name in (data.source.group, getattr(data.source, "split", None)) if name is not None]
    asked = [mapping.get(name, name) for name in (*data.task.columns, *group)]
    unread: dict[str, None] = {}
    for columns in (rows[0].file_columns for rows in data.rows.values() if rows):
        read = {name for each in asked for name in _file_names(each, columns)}
        if set(columns) == {"tokens", "tags"}:  # a file with a word a line, whose own columns have numbers
            read |= set(columns)
        inner: dict[str, list[str]] = {}  # `data.text` of the column `data`
        for name in sorted(each for each in read if "." in each):
            inner.setdefault(name.partition(".")[0], []).append(name)
        told = (
            f"{name} but {' and '.join(inner[name])}" if name in inner else name for name in columns if name not in read
        )
        unread |= dict.fromkeys(told)
    return list(unread)


def _is_of_splits(name: str) -> bool:
    return name.strip().lower() in ("split", "subset", "partition", "set", "data_split")


def _file_names(named: object, columns: Sequence[str]) -> list[str]:
    """One column's name, or those of several that are one to the task (one-hot labels); a number counts the columns."""
    if isinstance(named, list | tuple):
        return [str(each) for each in named]
    at_place = columns[named - 1 : named] if isinstance(named, int) else ()  # tables have it under its number, too
    return [str(named), *at_place]
