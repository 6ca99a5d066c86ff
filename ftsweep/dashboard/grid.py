"""The table of trials as rows and columns of the grid: the report's wide table, by numbered fields."""

from __future__ import annotations

from typing import Any

from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.table import Cell, Table
from ftsweep.report.tables.trials import wide_trials_table

KEY = "trial"
"""The field of the trial's number; the others are c1, c2, ... so that no name from outside is read as a path."""


def grid_columns(table: Table) -> list[dict[str, Any]]:
    """A column of the grid for each of the table's; numbers sort and filter as numbers."""
    found: list[dict[str, Any]] = []
    for index, column in enumerate(table.columns):
        is_number = column.kind == "number"
        entry: dict[str, Any] = {
            "field": _field(index),
            "headerName": column.name,
            "headerTooltip": column.name,
            "filter": "agNumberColumnFilter" if is_number else "agTextColumnFilter",
            "type": "rightAligned" if is_number else None,
        }
        if index == 0:
            entry |= {"pinned": "left", "width": 90}
        found.append({key: value for key, value in entry.items() if value is not None})
    return found


def grid_rows(table: Table) -> list[dict[str, Any]]:
    """A row of the grid for each of the table's; `mark` is `best` for the best trial."""
    rows = []
    for row in table.rows:
        kinds = zip(row.cells, table.columns, strict=True)
        values = {_field(index): _shown(cell, column.kind == "number") for index, (cell, column) in enumerate(kinds)}
        rows.append({**values, "mark": row.mark})
    return rows


def trials_grid(study: StudyOverview) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Columns and rows of a study's trials. A row's `rank` counts from 0, the best; None without a value."""
    table = wide_trials_table(study)
    rows = grid_rows(table)
    sign = 1 if study.objective.direction == "minimize" else -1
    ranked = sorted((sign * trial.value, trial.number) for trial in study.trials if trial.value is not None)
    ranks = {number: place for place, (_, number) in enumerate(ranked)}
    return grid_columns(table), [{**row, "id": str(row[KEY]), "rank": ranks.get(row[KEY])} for row in rows]


def _field(index: int) -> str:
    return f"c{index}" if index else KEY


def _shown(cell: Cell, is_number: bool) -> Any:
    """Numbers as such, to five digits; text with its tags before it."""
    if is_number:
        return float(f"{cell.value:.5g}") if isinstance(cell.value, float) else cell.value
    return " · ".join([*cell.tags, *filter(None, [cell.text])])
