"""What `ftsweep best` prints: the model and the setting, why, and their numbers."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ftsweep.cli.console import print_line
from ftsweep.cli.render import rich_table
from ftsweep.cli.result_view import optimism_text, print_conclusion, print_scores, print_search
from ftsweep.domain.spelling import param
from ftsweep.domain.trial import TrialRecord
from ftsweep.report.overview import StudyOverview
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.forgetting import scaling_table
from ftsweep.report.tables.table import Row, Table, columns


def print_best(console: Console, overview: StudyOverview, store: Path | str, exported: Path | None) -> None:
    """`ftsweep best STUDY`, of a study that has a model to hand over."""
    state, result = overview.state, overview.result
    assert result.model is not None
    number, winner = result.model.number, state.trial(result.model.number)
    print_conclusion(console, state, store)
    again = state.trial(result.setting.number) if result.setting else None
    is_other = again is not None and again.number != number
    if is_other:  # a title of so narrow a table would be folded
        print_line(console, f"setting of the model, trial {number}", "bold")
    if winner is None:
        print_line(console, f"The folder of trial {number} is gone, and with it its setting.", "yellow")
    else:
        console.print(rich_table(_setting(winner)))
    if again is not None and is_other:
        print_line(console, f"setting to train again, trial {again.number}", "bold")
        console.print(rich_table(_setting(again)))
    if scaled := scaling_table(result.forgetting, state.objective):
        console.print(rich_table(scaled))
    print_scores(console, result, state.objective)
    if text := optimism_text(result, state.objective):
        print_line(console, text)
    if result.test_looks > 1:
        times = f"Models of this study were measured on test {result.test_looks} times"
        print_line(console, f"{times}, as it was extended: the test score is not blind any more.")
    for verdict in state.verdicts.get(number, ()):
        print_line(console, f"Fit of trial {number}: {verdict.text}")
    print_search(console, overview.verdicts)
    if result.registered:
        print_line(console, f"registered as {result.registered}")
    if exported:
        print_line(console, f"exported to {exported}")


def _setting(trial: TrialRecord) -> Table:
    params = trial.proposal.params.items()
    rows = ((name, param(value, digits=6)) for name, value in params)
    return Table(columns("", "", text=[""]), tuple(Row(tuple(map(words, row))) for row in rows))
