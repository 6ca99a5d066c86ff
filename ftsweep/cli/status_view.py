"""What `ftsweep status` prints: a store's studies, or one study's trials and what is wrong with them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ftsweep.cli.console import print_line
from ftsweep.cli.disk_text import size_text, store_disk_text, study_disk_text
from ftsweep.cli.live_view import print_trials
from ftsweep.cli.render import rich_table
from ftsweep.cli.result_view import counts_text, print_conclusion, print_search
from ftsweep.domain.commands import run_command
from ftsweep.domain.request import Answer, Request
from ftsweep.domain.spelling import NOTHING, number
from ftsweep.domain.trial import PAUSED, OutcomeKind
from ftsweep.domain.verdict import counts_of
from ftsweep.report.overview import StudyOverview
from ftsweep.report.store_overview import StudyLine
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.fits import telling_trials
from ftsweep.report.tables.table import Column, Row, Table

_MAX_ASKED = 5
_MAX_LOST = 5
_MAX_TELLING = 8  # trials whose fit is told in words
_HEADS = (
    *(Column(name, "text", is_whole=True) for name in ("study", "state", "trials")),
    *(Column(name, "text") for name in ("best", "objective")),
    Column("size", "text", is_whole=True, may_go=True),
)


def print_study(
    console: Console,
    overview: StudyOverview,
    disk: Mapping[str, int],
    lost_workers: Sequence[Mapping[str, Any]],
    store: Path | str,
    extended: str = "",
) -> None:
    """`ftsweep status STUDY`. disk: bytes by what they are for; extended: how the study's space has changed."""
    state = overview.state
    print_line(console, f"{state.study}: {state.phase}, {study_disk_text(disk)}")
    print_trials(console, state)
    print_line(console, counts_text(state))
    if overview.database is not None:
        print_line(console, f"Database {overview.database}.")
    for record in state.trials:
        if record.outcome and record.outcome.kind not in {OutcomeKind.COMPLETE, OutcomeKind.PRUNED}:
            print_line(console, f"  trial {record.number} {record.outcome.kind}: {record.outcome.reason}")
    if extended:
        print_line(console, extended)
    _print_lost(console, lost_workers)
    _print_fits(console, overview)
    if state.result is not None:
        print_conclusion(console, state, store)


def print_requests(console: Console, answers: Sequence[Answer], pending: Sequence[Request]) -> None:
    """What was asked of the study last, and what came of it."""
    for answer in answers[-_MAX_ASKED:]:
        print_line(console, f"  {answer.line}")
    for request in pending:
        print_line(console, f"  {request.waiting_line}")
    if len(answers) > _MAX_ASKED:
        print_line(console, f"  {len(answers)} requests were answered in all; --json tells of each")


def print_store(console: Console, studies: Sequence[StudyLine], store: Path | str, disk: Mapping[str, Any]) -> None:
    """`ftsweep status`."""
    if not studies:
        what = "There are no studies yet in" if isinstance(store, str) or store.is_dir() else "There is no store yet at"
        start = run_command("quickstart", "quickstart", store=store)
        print_line(console, f"{what} {store}. Start a study: {start}")
        return
    console.print(rich_table(Table(_HEADS, tuple(map(_row, studies)))))
    print_line(console, store_disk_text(disk))


def _row(study: StudyLine) -> Row:
    best = NOTHING if study.best_value is None else f"{number(study.best_value)} ({study.best_name})"
    paused = f", {study.num_paused} {PAUSED}" if study.num_paused else ""
    trials, size = f"{study.num_ended}/{study.num_planned}{paused}", size_text(study.size_bytes)
    return Row(tuple(map(words, (study.study, study.state, trials, best, study.objective, size))))


def _print_lost(console: Console, lost_workers: Sequence[Mapping[str, Any]]) -> None:
    for lost in lost_workers[-_MAX_LOST:]:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lost["timestamp"]))
        print_line(console, f"  worker {lost['worker']} lost over {lost['job']} at {when}: {lost['reason']}")
    if len(lost_workers) > _MAX_LOST:
        print_line(console, f"  {len(lost_workers)} workers were lost in all; --json tells of each")


def _print_fits(console: Console, overview: StudyOverview) -> None:
    """What is wrong with trials, worst first, and with the search; each with its remedy."""
    verdicts = overview.state.verdicts
    if counts := counts_of(verdicts):
        print_line(console, f"Fit: {counts}.")
    telling = telling_trials(verdicts)
    for trial in telling[:_MAX_TELLING]:
        print_line(console, f"  trial {trial} {verdicts[trial][0].text}")
    if len(telling) > _MAX_TELLING:
        print_line(console, f"  and {len(telling) - _MAX_TELLING} more; --json tells of each")
    print_search(console, overview.verdicts)
