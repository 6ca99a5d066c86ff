"""A table as CSV, for other programs."""

from __future__ import annotations

import csv
import io

from ftsweep.report.tables.table import Table


def csv_text(table: Table) -> str:
    """The values under the columns' names; an empty cell where nothing is known."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    writer.writerows([cell.value for cell in row.cells] for row in table.rows)
    return text.getvalue()
