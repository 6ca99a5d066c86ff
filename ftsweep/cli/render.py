"""A table in the terminal: as columns where they fit, turned or as a list where they do not. No word is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import rich.table
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from ftsweep.cli.wrapping import longest_unit
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.table import Cell, Column, Row, Table

_GAP = 2
_STAR = "*"
_STYLES = {
    "complete": "green",
    "pruned": "yellow",
    "running": "cyan",
    "paused": "blue",
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


def rich_table(table: Table) -> RenderableType:
    """The table as rich draws it; without a head where no column has a name."""
    return _FittingTable(table)


@dataclass(frozen=True)
class _FittingTable:
    """Takes the width that it is drawn in."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        shown, left_out = _narrowed(self.table, options.max_width)
        if shown.title:
            yield Text(shown.title, style="bold")
        yield from _drawn(shown, options.max_width)
        if legend := shown.legend(_STAR):
            yield Text(legend, style="dim")
        if left_out:
            yield Text(f"No room for: {', '.join(left_out)}.", style="dim")


def _narrowed(table: Table, width: int) -> tuple[Table, list[str]]:
    """Without the last of those columns that may go, one after the other, as long as the rest does not fit."""
    left_out: list[str] = []
    while _least_width(table) > width:
        going = [i for i, column in enumerate(table.columns) if column.may_go]
        if not going:
            break
        left_out.insert(0, table.columns[going[-1]].name)
        table = _without(table, going[-1])
    return table, left_out


def _drawn(table: Table, width: int) -> Iterator[RenderableType]:
    if _least_width(table) <= width:
        yield _columns(table, width)
        return
    turned = _turned(table)
    if _least_width(turned) <= width:
        yield _columns(turned, width)
        return
    for row in table.rows:
        yield _columns(_turned(replace(table, rows=(row,))), width)


def _columns(table: Table, width: int) -> rich.table.Table:
    has_head = any(column.name for column in table.columns)
    shown = rich.table.Table(box=None, pad_edge=False, header_style="bold", show_header=has_head)
    for i, (column, size) in enumerate(zip(table.columns, _widths(table, width), strict=True)):
        is_text = column.kind == "text" or (i == 0 and not has_head)
        shown.add_column(Text(column.name), justify="left" if is_text else "right", overflow="fold", width=size)
    for row in table.rows:
        shown.add_row(*_texts(row), style=_MARKS[row.mark])
    return shown


def _turned(table: Table) -> Table:
    """Rows as columns, for a table of few rows."""
    first = Column(table.columns[0].name, "text")
    heads = [_texts(row)[0].plain for row in table.rows]
    columns = (first, *(Column(head, "number" if len(heads) > 1 else "text") for head in heads))
    rows = (
        Row((words(column.name), *(row.cells[i] for row in table.rows)))
        for i, column in enumerate(table.columns)
        if i > 0
    )
    return replace(table, columns=columns, rows=tuple(rows))


def _without(table: Table, index: int) -> Table:
    def rest(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        return cells[:index] + cells[index + 1 :]

    columns = table.columns[:index] + table.columns[index + 1 :]
    return replace(table, columns=columns, rows=tuple(replace(row, cells=rest(row.cells)) for row in table.rows))


# -- widths, in cells of the terminal ---------------------------------------------------------------------------------


def _least_width(table: Table) -> int:
    return sum(_least(column, texts) for column, texts in _by_column(table)) + _GAP * (len(table.columns) - 1)


def _widths(table: Table, width: int) -> list[int]:
    """What each column needs, and of what is left as much as makes its cells one line, the first columns first."""
    found = list(_by_column(table))
    sizes = [_least(column, texts) for column, texts in found]
    left = max(0, width - _GAP * (len(sizes) - 1) - sum(sizes))
    for i, (_, texts) in enumerate(found):
        more = min(left, max(map(cell_len, texts)) - sizes[i])
        sizes[i], left = sizes[i] + more, left - more
    excess = sum(sizes) + _GAP * (len(sizes) - 1) - width
    return [*sizes[:-1], max(1, sizes[-1] - max(0, excess))]


def _least(column: Column, texts: Sequence[str]) -> int:
    whole = max(map(cell_len, texts))
    if column.is_whole:
        return whole
    return min(whole, max(column.room, *map(longest_unit, texts)))


def _by_column(table: Table) -> Iterator[tuple[Column, list[str]]]:
    rows = [[text.plain for text in _texts(row)] for row in table.rows]
    for i, column in enumerate(table.columns):
        yield column, [column.name, *(row[i] for row in rows)]


def _texts(row: Row) -> list[Text]:
    """A star says in a pipe, too, which row is the best."""
    texts = list(map(_text, row.cells))
    return [texts[0] + Text(_STAR), *texts[1:]] if row.mark == "best" else texts


def _text(cell: Cell) -> Text:
    tags = "".join(f"[{tag}] " for tag in cell.tags)
    return Text(" ".join(filter(None, (tags + cell.text, cell.code))), style=_STYLES.get(cell.style, ""))
