"""Skill and forgetting of trials whose trained change was made smaller."""

from __future__ import annotations

from ftsweep.domain.forgetting import ForgettingResult, ScalePoint
from ftsweep.domain.objective import Objective
from ftsweep.report.tables.cells import figure
from ftsweep.report.tables.table import Cell, Row, Table, columns, data_table


def scaling_table(found: ForgettingResult | None, objective: Objective) -> Table | None:
    """The suggested scale is marked; None where nothing was scaled."""
    if found is None or not found.scaling:
        return None
    return Table(
        columns("trial", "scale", objective.key, "forgetting"),
        tuple(_row(point, found) for point in found.scaling),
        title="scaled from the base (0) to the trial (1)",
        note="The trained change scaled, from what training started from (0) to what it came to (1).",
        best="the scale that is suggested",
    )


def _row(point: ScalePoint, found: ForgettingResult) -> Row:
    chosen = found.suggestion
    is_suggested = chosen is not None and (point.trial, point.scale) == (chosen.trial, chosen.scale)
    over = " over" if found.limit is not None and point.forgetting > found.limit else ""
    cells = (
        Cell(str(point.trial), point.trial),
        Cell(f"{point.scale:g}", point.scale),
        figure(point.value),
        Cell(f"{point.forgetting:.3f}{over}", point.forgetting),
    )
    return Row(cells, "best" if is_suggested else "")


def scaling_data(found: ForgettingResult) -> Table:
    """The same for a file."""
    names = ("trial", "scale", "value", "forgetting")
    return data_table(names, ([getattr(point, name) for name in names] for point in found.scaling))
