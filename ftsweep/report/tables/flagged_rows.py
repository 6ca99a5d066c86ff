"""The winner on held-out rows that guards flagged and on clean ones, as the page's table."""

from __future__ import annotations

from dataclasses import dataclass

from ftsweep.analysis.flagged_rows import flagged_lines, said_of_flagged
from ftsweep.report.rows import StudyRows
from ftsweep.report.wording import NOTHING, number


@dataclass(frozen=True)
class Line:
    split: str
    part: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class FlaggedTable:
    sentence: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def flagged_table(rows: StudyRows) -> FlaggedTable | None:
    """None where no row is flagged."""
    if not rows.flagged:
        return None
    metric, lines = flagged_lines(rows.flagged, rows.objective)
    return FlaggedTable(
        said_of_flagged(rows.flagged, rows.objective),
        ("number", metric, "95 % interval"),
        tuple(
            Line(line.split, line.part, (str(line.num_rows), number(line.value), _interval(line.interval)))
            for line in lines
        ),
    )


def _interval(found: object) -> str:
    return f"{number(found['low'])} .. {number(found['high'])}" if isinstance(found, dict) else NOTHING
