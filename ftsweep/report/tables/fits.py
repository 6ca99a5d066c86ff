"""How well trials fit: a row for each verdict of a trial that has something wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ftsweep.domain.verdict import Verdict, VerdictSeverity
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.table import Cell, Row, Table, columns

MAX_TRIALS = 30


def fit_table(verdicts: Mapping[int, Sequence[Verdict]]) -> Table | None:
    """Of trials by number, the worst first; a further verdict of the same trial has no number.

    None where nothing is wrong.
    """
    telling = telling_trials(verdicts)
    rows = [
        Row(_cells(number if place == 0 else None, verdict))
        for number in telling[:MAX_TRIALS]
        for place, verdict in enumerate(verdicts[number])
    ]
    if not rows:
        return None
    num_more = max(0, len(telling) - MAX_TRIALS)
    more = f"; {num_more} more have a verdict below" if num_more else ""
    title = f"Trials with something wrong, the worst first{more}."
    names = ("trial", "verdict", "why", "what to do")
    return Table(columns(*names, text=names[1:]), tuple(rows), title=title)


def _cells(number: int | None, verdict: Verdict) -> tuple[Cell, ...]:
    trial = Cell("" if number is None else str(number), number)
    label = Cell(verdict.label, verdict.label, style=verdict.severity.value)
    return trial, label, words(verdict.message), Cell(verdict.advice, verdict.advice, code=verdict.override)


def telling_trials(verdicts: Mapping[int, Sequence[Verdict]]) -> list[int]:
    """Numbers of trials with something wrong, the worst first, then in order."""
    order = list(VerdictSeverity)
    found = [number for number, own in sorted(verdicts.items()) if own and own[0].severity is not VerdictSeverity.NONE]
    return sorted(found, key=lambda number: -order.index(verdicts[number][0].severity))
