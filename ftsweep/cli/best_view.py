"""What `ftsweep best` prints: the chosen trial, why, and its numbers."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ftsweep.cli.console import print_line
from ftsweep.cli.render import rich_table
from ftsweep.cli.result_view import optimism_text, print_forgetting, print_scores, print_search
from ftsweep.domain.trial import TrialRecord
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.forgetting import scaling_table
from ftsweep.report.tables.table import Row, Table, columns


def print_best(console: Console, overview: StudyOverview, exported: Path | None) -> None:
    """`ftsweep best STUDY`, of a study that has a winner."""
    state, result = overview.state, overview.result
    assert result.winner is not None
    winner = state.trial(result.winner.number)
    assert winner is not None
    print_line(console, result.sentence, "bold green")
    if result.advice:
        print_line(console, result.advice, "bold")
    print_line(console, result.winner.reason)
    if result.note:
        print_line(console, result.note)
    console.print(rich_table(_setting(winner)))
    print_forgetting(console, result)
    if scaled := scaling_table(result.forgetting, state.objective):
        console.print(rich_table(scaled))
    print_scores(console, result, state.objective)
    best = state.best_rung(winner)
    if text := optimism_text(result, state.objective, best.values if best else {}):
        print_line(console, text)
    if result.test_looks > 1:
        times = f"Models of this study were measured on test {result.test_looks} times"
        print_line(console, f"{times}, as it was extended: the test score is not blind any more.")
    for verdict in state.verdicts.get(winner.number, ()):
        print_line(console, f"fit of trial {winner.number}: {verdict.text}")
    print_search(console, overview.verdicts)
    if result.registered:
        print_line(console, f"registered as {result.registered}")
    if exported:
        print_line(console, f"exported to {exported}")


def _setting(winner: TrialRecord) -> Table:
    params = winner.proposal.params.items()
    rows = ((name, f"{value:.6g}" if isinstance(value, float) else str(value)) for name, value in params)
    return Table(columns("", "", text=[""]), tuple(Row(tuple(map(words, row))) for row in rows))
