"""A table as a value: made once, then shown in the terminal (cli/render), on a page (html) or as a file (csv_text)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "number"]
"""Text stands left, numbers right."""


_LONG_WORD = 40
"""Characters."""


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind = "number"
    is_whole: bool = False
    """Whether a narrow terminal must not break its cells."""
    may_go: bool = False
    """Whether a terminal that is too narrow leaves it out, and says so; of several the last goes first."""
    room: int = 0
    """Cells of the terminal that it wants, if its texts are that long, before others that may go get any."""
    meaning: str = ""
    """What it holds, as a sentence of the legend; it goes with its column."""


@dataclass(frozen=True)
class Cell:
    """Text from outside (labels, paths, log lines) stands in here as it is; whoever shows a cell escapes it."""

    text: str
    value: Any = None
    """What a file holds; None where nothing is known."""
    order: Any = None
    """What its column is sorted by, where that is not the value."""
    style: str = ""
    """What the text stands for, so that it gets a colour: an outcome or a severity."""
    tags: tuple[str, ...] = ()
    """Short labels in front of the text."""
    pieces: tuple[tuple[str, bool], ...] = ()
    """The text in pieces, each with whether it is marked; () for one of which nothing is."""
    code: str = ""
    """To be typed, behind the text."""
    details: str = ""
    """Long text that is shown on demand."""

    @property
    def has_long_word(self) -> bool:
        """Whether the text has to be broken within a word: it would make its column as wide as a page."""
        return any(len(word) > _LONG_WORD for word in self.text.split())

    @property
    def sort_key(self) -> str:
        """A number as text, or a word; empty sorts last."""
        key = self.value if self.order is None else self.order
        return "" if key is None else key if isinstance(key, str) else repr(key)


@dataclass(frozen=True)
class Row:
    """A row; the first cell names it."""

    cells: tuple[Cell, ...]
    mark: Literal["", "best", "mean"] = ""


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    title: str = ""
    """What it is, in a few words."""
    note: str = ""
    """How to read it, in a sentence."""
    best: str = ""
    """What the row that is marked `best` is, in a few words: every screen with the mark says so."""

    def legend(self, mark: str) -> str:
        """How to read it: the note, what a row with this mark is where one has it, what the columns hold."""
        if not self.rows:
            return self.note
        is_marked = self.best and any(row.mark == "best" for row in self.rows)
        said = (self.note, f"{mark} {self.best}." if is_marked else "", *(column.meaning for column in self.columns))
        return " ".join(filter(None, said))


def data_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table of bare values, for a file."""
    cells = (tuple(Cell("" if value is None else str(value), value) for value in row) for row in rows)
    return Table(tuple(map(Column, columns)), tuple(map(Row, cells)))


def columns(*names: str, text: Sequence[str] = ()) -> tuple[Column, ...]:
    """Columns of numbers, but for those named in `text`."""
    return tuple(Column(name, "text" if name in text else "number") for name in names)
