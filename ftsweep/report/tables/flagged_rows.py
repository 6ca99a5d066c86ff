"""The winner on held-out rows that guards flagged and on clean ones."""

from __future__ import annotations

from ftsweep.analysis.flagged_rows import flagged_lines
from ftsweep.domain.objective import Objective
from ftsweep.domain.scores import Flagged
from ftsweep.report.tables.cells import count, figure, interval, words
from ftsweep.report.tables.table import Row, Table, columns


def flagged_table(flagged: Flagged, objective: Objective) -> Table | None:
    """A row per split and part; None where no row is flagged."""
    if not flagged:
        return None
    metric, lines = flagged_lines(flagged, objective)
    names = ("split", "rows", "number", metric, f"{metric}, 95 % interval")
    rows = (
        Row((words(each.split), words(each.part), count(each.num_rows), figure(each.value), interval(each.interval)))
        for each in lines
    )
    return Table(
        columns(*names, text=["split", "rows"]),
        tuple(rows),
        title="the winner on rows that guards flagged",
        note="The winner on held-out rows that guards flagged, and on the clean ones. Clean rows are what to believe.",
    )


def is_comparable(flagged: Flagged, objective: Objective) -> bool:
    """Whether enough rows are flagged that their scores tell anything."""
    return any(line.interval for line in flagged_lines(flagged, objective)[1] if line.part != "clean")
