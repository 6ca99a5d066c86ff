"""The chosen setting on parts of train."""

from __future__ import annotations

from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.spelling import number
from ftsweep.report.tables.cells import count, figure, words
from ftsweep.report.tables.table import Cell, Row, Table, columns


def data_scaling_table(result: StudyResult, objective: Objective) -> Table | None:
    """The smallest part first; None where that was not asked."""
    if result.quantity is None or not result.quantity.points:
        return None
    rows = []
    for point in result.quantity.points:
        seeds = "  ".join(number(value) for value in point.values)
        share = Cell(f"{point.share:.0%}", point.share)
        rows.append(Row((share, count(point.num_examples), figure(point.mean), words(seeds))))
    names = columns("train", "examples", objective.key, "seeds", text=["seeds"])
    return Table(names, tuple(rows), title="the chosen setting on parts of train")
