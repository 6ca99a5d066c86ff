"""A table in the terminal."""

from __future__ import annotations

import rich.table
from rich.text import Text

from ftsweep.report.tables.table import Cell, Row, Table

_STYLES = {
    "complete": "green",
    "pruned": "yellow",
    "running": "cyan",
    "infeasible": "magenta",
    "diverged": "red",
    "failed": "red",
    "mild": "yellow",
    "moderate": "yellow",
    "severe": "red",
    "works": "green",
    "warns": "yellow",
    "fails": "red",
}
_MARKS = {"": "", "best": "bold", "mean": "dim"}


def rich_table(table: Table) -> rich.table.Table:
    """The table as rich draws it; without a head where no column has a name."""
    shown = rich.table.Table(
        title=Text(table.title, style="bold") if table.title else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
        show_header=any(column.name for column in table.columns),
    )
    for column in table.columns:
        is_text = column.kind == "text"
        shown.add_column(
            Text(column.name), justify="left" if is_text else "right", no_wrap=column.is_whole, overflow="fold"
        )
    for row in table.rows:
        shown.add_row(*_texts(row), style=_MARKS[row.mark])
    return shown


def _texts(row: Row) -> list[Text]:
    """A star says in a pipe, too, which row is the best."""
    texts = list(map(_text, row.cells))
    return [texts[0] + Text("*"), *texts[1:]] if row.mark == "best" else texts


def _text(cell: Cell) -> Text:
    tags = "".join(f"[{tag}] " for tag in cell.tags)
    return Text(" ".join(filter(None, (tags + cell.text, cell.code))), style=_STYLES.get(cell.style, ""))
