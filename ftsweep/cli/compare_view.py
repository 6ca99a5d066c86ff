"""What `ftsweep compare` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Console

from ftsweep.cli.console import print_line
from ftsweep.cli.render import rich_table
from ftsweep.domain.commands import study_command
from ftsweep.domain.spelling import plural
from ftsweep.report.repeat import repeat_command
from ftsweep.report.tables.difference import Compared, caution, curve_lines, difference_tables
from ftsweep.report.tables.table import Row, Table
from ftsweep.store.address.place import store_named

_LABEL, _CELL, _GAP = 30, 22, 2
"""At most so many columns of the terminal for a line's name and for a trial; what is longer is folded."""


def print_compared(console: Console, compared: Sequence[Compared], store: str) -> None:
    """Tables of what differs, curves, and commands to go on with."""
    tables, num_equal = difference_tables(compared)
    for table in tables:
        for part in _fitting(table, console.width):
            console.print(rich_table(part))
            console.print()
    _print_curves(console, compared)
    if told := caution(compared):
        print_line(console, told)
    if num_equal:
        print_line(console, f"{plural(num_equal, 'line')} not shown: equal in all of these trials.")
    for each in compared:
        print_line(console, f"Run the setting of {each.name} again: {repeat_command(each.study, each.trial)}")
    first = compared[0]
    place = store_named(store).name
    copy = study_command("enqueue", first.study.name, "--from", first.trial.number, store=place)
    print_line(console, f"Try a changed copy: {copy} KEY=VALUE")


def compared_json(compared: Sequence[Compared]) -> dict[str, Any]:
    """The same for scripts: by subject and name a text for each trial."""
    tables, num_equal = difference_tables(compared)
    return {
        "trials": [each.name for each in compared],
        "differs": {
            table.title: {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in table.rows}
            for table in tables
        },
        "num_equal": num_equal,
        "caution": caution(compared),
        "curves": {each.name: each.losses for each in compared},
        "repeat": {each.name: repeat_command(each.study, each.trial) for each in compared},
    }


def _print_curves(console: Console, compared: Sequence[Compared]) -> None:
    lines = curve_lines(compared)
    width = max((len(name) for name, _, _ in lines), default=0)
    for name, curve, ends in lines:
        if width + len(curve) + len(ends) + 2 * _GAP <= console.width:
            print_line(console, f"{name:<{width}}  {curve}  {ends}")
        else:
            print_line(console, f"{name:<{width}}  {curve}")
            print_line(console, f"  {ends}")
    if lines:
        console.print()


def _fitting(table: Table, width: int) -> Iterator[Table]:
    """The table in parts that are narrow enough, each with some of the trials."""
    lengths = [[len(cell.text) for cell in row.cells] for row in table.rows]
    label = min(_LABEL, max(each[0] for each in lengths))
    names = max(len(column.name) for column in table.columns[1:])
    cell = min(_CELL, max(names, *(length for each in lengths for length in each[1:])))
    per_part = max(1, (width - label) // (cell + _GAP))
    for start in range(1, len(table.columns), per_part):
        shown = slice(start, start + per_part)
        rows = tuple(Row((row.cells[0], *row.cells[shown])) for row in table.rows)
        yield replace(table, columns=(table.columns[0], *table.columns[shown]), rows=rows)
