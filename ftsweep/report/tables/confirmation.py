"""The settings that were run again with fresh seeds."""

from __future__ import annotations

from ftsweep.domain.confirmed import Candidate
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.report.tables.cells import figure, words
from ftsweep.report.tables.table import Cell, Row, Table, columns, data_table
from ftsweep.report.wording import number


def confirmation_table(result: StudyResult, objective: Objective) -> Table | None:
    """The best mean first; None where nothing was run again."""
    if not result.candidates:
        return None
    num_seeds = len(result.candidates[0].seeds)
    names = ("trial", "in the search", "mean", "spread", "seeds", "behind the best mean by")
    return Table(
        columns(*names, text=["seeds"]),
        tuple(_row(candidate, objective, result.number) for candidate in result.candidates),
        title=f"{objective.key} again, with {num_seeds} fresh seed{'s' if num_seeds > 1 else ''}",
    )


def _row(candidate: Candidate, objective: Objective, winner: int | None) -> Row:
    is_winner = candidate.number == winner
    label = f"{candidate.number}{' (default)' if candidate.is_default else ''}"
    seeds = "  ".join("failed" if value is None else number(value) for value in candidate.seeds)
    cells = (
        Cell(label, candidate.number),
        figure(candidate.value),
        figure(candidate.mean),
        figure(candidate.spread, digits=2),
        words(seeds),
        _behind(candidate, objective),
    )
    return Row(cells, "best" if is_winner else "")


def _behind(candidate: Candidate, objective: Objective) -> Cell:
    if candidate.difference is None:
        return Cell("")
    value = candidate.difference if objective.direction == "maximize" else -candidate.difference
    error = candidate.standard_error
    text = number(value, digits=2)
    if error is not None:
        text += f" ± {number(error, digits=2)}" + (", a tie" if candidate.is_tied else "")
    return Cell(text, candidate.difference)


AGAIN = ("trial", "default", "in_search", "mean", "spread", "behind", "standard_error", "tied", "seeds")


def confirmation_data(result: StudyResult) -> Table:
    """The same for a file."""
    return data_table(
        AGAIN,
        (
            [
                each.number,
                each.is_default,
                each.value,
                figure(each.mean).value,
                each.spread,
                each.difference,
                each.standard_error,
                each.is_tied,
                " ".join("failed" if seed is None else repr(seed) for seed in each.seeds),
            ]
            for each in result.candidates
        ),
    )
