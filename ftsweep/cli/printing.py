"""What commands print when they are done: tables, the verdict, and where to look next."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ftsweep.analysis.flagged_rows import said_of_flagged
from ftsweep.cli.diagnosis import Check
from ftsweep.cli.disk_text import size_text, store_disk_text, study_disk_text
from ftsweep.cli.forgetting_tables import scaling_table
from ftsweep.cli.live_view import approaches_table, duration, trials_table
from ftsweep.cli.score_tables import confirmation_table, flagged_table, optimism_text, quantity_table, scores_table
from ftsweep.cli.shown_row import print_shown
from ftsweep.control.conclude import Conclusion
from ftsweep.control.data_findings import collect
from ftsweep.control.overview import StudyOverview
from ftsweep.domain.finding import Finding, Severity
from ftsweep.domain.objective import Objective
from ftsweep.domain.snapshot import Snapshot
from ftsweep.domain.trial import OutcomeKind
from ftsweep.domain.verdict import Verdict, VerdictSeverity, counts_of

_CHECK_STYLES = {"works": "green", "warns": "yellow", "fails": "red"}
_SEVERITY_STYLES = {Severity.NOTE: "", Severity.WARN: "yellow", Severity.REFUSE: "red"}
_PLAIN_WIDTH = 160  # columns where there is no terminal to ask
_MAX_LOST = 5
_MAX_TELLING = 8  # trials whose fit is told in words


def console_for(file: TextIO) -> Console:
    """A console on this stream; a pipe gets plain, wide text."""
    is_terminal = file.isatty() and os.environ.get("TERM", "") != "dumb"
    return Console(file=file, highlight=False, width=None if is_terminal else _PLAIN_WIDTH, force_terminal=is_terminal)


def print_ending(
    console: Console,
    snapshot: Snapshot,
    conclusion: Conclusion | None,
    links: Mapping[str, str],
    warnings: Sequence[str],
    was_complete: bool,
) -> None:
    """The end of `ftsweep run`: trials, the winner in one sentence, the links."""
    console.print(trials_table(snapshot))
    console.print()
    if was_complete:
        _print_plain(console, f"Study {snapshot.study!r} is complete: nothing was started.")
    _print_plain(console, counts_text(snapshot))
    if conclusion is not None:
        found = [finding for finding in collect(conclusion.data) if finding.severity is not Severity.NOTE]
        print_findings(console, found, indent="Data, ")
        if conclusion.note:
            _print_plain(console, conclusion.note)
        _print_scores(console, conclusion, snapshot.objective)
        console.print(
            Text(conclusion.sentence, style="bold green" if conclusion.winner else "bold red"), soft_wrap=True
        )
        if conclusion.advice:
            console.print(Text(conclusion.advice, style="bold"), soft_wrap=True)
        _print_forgetting(console, conclusion)
    else:
        _print_plain(
            console,
            f"Stopped with {snapshot.num_ended} of {snapshot.num_planned} trials ended; the same command goes on.",
        )
    for warning in warnings:
        console.print(Text(f"Note: {warning}", style="yellow"), soft_wrap=True)
    width = max((len(label) for label in links), default=0) + 1
    for label, link in links.items():
        _print_plain(console, f"  {label + ':':<{width}} {link}")


def counts_text(snapshot: Snapshot) -> str:
    """`12 trials: 9 complete, 3 pruned; 40 s of ...`."""
    counts = [(kind, snapshot.count(kind)) for kind in OutcomeKind]
    parts = [f"{number} {kind}" for kind, number in counts if number]
    if snapshot.running:
        parts.append(f"{len(snapshot.running)} to be continued")
    seconds = sum(record.measurements[-1].train_seconds for record in snapshot.trials if record.measurements)
    noun = "trial" if len(snapshot.trials) == 1 else "trials"
    return f"{len(snapshot.trials)} {noun}: {', '.join(parts) or 'none'}; {duration(seconds)} of training."


def _print_scores(console: Console, conclusion: Conclusion, objective: Objective) -> None:
    """With branches the approaches; without, what was measured on test. Then what was run again with fresh seeds."""
    approaches = conclusion.compared()
    if approaches:
        console.print(approaches_table(approaches, objective, conclusion.number))
        console.print()
    elif table := scores_table(conclusion, objective):
        console.print(table)
    if table := confirmation_table(conclusion, objective):
        console.print(table)
    if table := flagged_table(conclusion, objective):
        console.print(table)
    if conclusion.flagged:
        _print_plain(console, said_of_flagged(conclusion.flagged, objective))
    if table := quantity_table(conclusion, objective):
        console.print(table)
    if conclusion.quantity:
        _print_plain(console, conclusion.quantity["sentence"])


def _print_forgetting(console: Console, conclusion: Conclusion) -> None:
    for sentence in conclusion.forgetting.get("sentences", ()):
        _print_plain(console, sentence)


def print_findings(console: Console, findings: Iterable[Finding], *, indent: str = "") -> None:
    """One line for each finding about the data: how bad it is, what and where it is, what to do about it."""
    for finding in findings:
        line = f"{indent}{finding.severity}: {finding.text}"
        console.print(Text(line, style=_SEVERITY_STYLES[finding.severity]), soft_wrap=True)


def print_study(console: Console, overview: StudyOverview) -> None:
    """`ftsweep status STUDY`."""
    snapshot = overview.snapshot
    _print_plain(console, f"{snapshot.study}: {snapshot.phase}, {study_disk_text(overview.disk)}")
    console.print(trials_table(snapshot))
    _print_plain(console, counts_text(snapshot))
    for record in snapshot.trials:
        if record.outcome and record.outcome.kind not in {OutcomeKind.COMPLETE, OutcomeKind.PRUNED}:
            _print_plain(console, f"  trial {record.number} {record.outcome.kind}: {record.outcome.reason}")
    if overview.extension.text:
        _print_plain(console, overview.extension.text)
    for lost in overview.lost_workers[-_MAX_LOST:]:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lost["timestamp"]))
        _print_plain(console, f"  worker {lost['worker']} lost over {lost['job']} at {when}: {lost['reason']}")
    if len(overview.lost_workers) > _MAX_LOST:
        _print_plain(console, f"  {len(overview.lost_workers)} workers were lost in all; --json tells of each")
    print_fits(console, overview)
    if overview.conclusion:
        conclusion = overview.conclusion
        for text in filter(None, (conclusion.note, conclusion.sentence, conclusion.advice)):
            _print_plain(console, text)
        _print_forgetting(console, conclusion)


def print_fits(console: Console, overview: StudyOverview) -> None:
    """What is wrong with trials, worst first, and with the search; each with its remedy."""
    verdicts = overview.snapshot.verdicts
    if counts := counts_of(verdicts):
        _print_plain(console, f"Fit: {counts}.")
    telling = [number for number, found in sorted(verdicts.items()) if found[0].severity is not VerdictSeverity.NONE]
    telling.sort(key=lambda number: list(VerdictSeverity).index(verdicts[number][0].severity), reverse=True)
    for number in telling[:_MAX_TELLING]:
        _print_plain(console, f"  trial {number} {verdicts[number][0].text}")
    if len(telling) > _MAX_TELLING:
        _print_plain(console, f"  and {len(telling) - _MAX_TELLING} more; --json tells of each")
    print_search(console, overview.verdicts)


def print_search(console: Console, verdicts: Sequence[Verdict]) -> None:
    """What a study shows about its own search, a line each."""
    for verdict in verdicts:
        _print_plain(console, f"Search, {verdict.text}")


def print_best(console: Console, overview: StudyOverview, exported: Path | None) -> None:
    """`ftsweep best STUDY`."""
    conclusion = overview.conclusion
    assert conclusion is not None
    assert conclusion.winner is not None
    winner = next(record for record in overview.snapshot.trials if record.number == conclusion.number)
    console.print(Text(conclusion.sentence, style="bold green"), soft_wrap=True)
    if conclusion.advice:
        console.print(Text(conclusion.advice, style="bold"), soft_wrap=True)
    _print_plain(console, str(conclusion.winner["reason"]))
    if conclusion.note:
        _print_plain(console, conclusion.note)
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in winner.proposal.params.items():
        table.add_row(name, f"{value:.6g}" if isinstance(value, float) else str(value))
    console.print(table)
    _print_forgetting(console, conclusion)
    if scaled := scaling_table(conclusion, overview.snapshot.objective):
        console.print(scaled)
    _print_scores(console, conclusion, overview.snapshot.objective)
    best = overview.snapshot.objective.best(winner.measurements)
    if text := optimism_text(conclusion, overview.snapshot.objective, best.values if best else {}):
        _print_plain(console, text)
    if conclusion.test_looks > 1:
        _print_plain(
            console,
            f"Models of this study were measured on test {conclusion.test_looks} times, as it was extended: the test "
            "score is not blind any more.",
        )
    for verdict in overview.snapshot.verdicts.get(winner.number, ()):
        _print_plain(console, f"fit of trial {winner.number}: {verdict.text}")
    print_search(console, overview.verdicts)
    if conclusion.registered:
        _print_plain(console, f"registered as {conclusion.registered}")
    if exported:
        _print_plain(console, f"exported to {exported}")


def print_store(console: Console, rows: Sequence[Mapping[str, Any]], store: Path, disk: Mapping[str, Any]) -> None:
    """`ftsweep status`."""
    if not rows:
        what = "There are no studies yet in" if store.is_dir() else "There is no store yet at"
        _print_plain(console, f"{what} {store}. Start a study: ftsweep run quickstart")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("study", "state", "trials", "best", "objective", "size"):
        table.add_column(name)
    for row in rows:
        best = "-" if row["best_value"] is None else f"{row['best_value']:.4g} (trial {row['best_trial']})"
        trials = f"{row['num_ended']}/{row['num_planned']}"
        table.add_row(row["study"], row["state"], trials, best, row["objective"], size_text(row["size_bytes"]))
    console.print(table)
    _print_plain(console, store_disk_text(disk))


def print_plan(console: Console, facts: Mapping[str, Any]) -> None:
    """`ftsweep plan`."""
    objective = facts["objective"]
    _print_plain(
        console,
        f"{facts['study']}: {facts['num_trials']} trials of {facts['num_rungs']} rungs on {facts['num_workers']} "
        f"worker(s), to {objective['direction']} {objective['key']}",
    )
    found = collect({branch["branch"]: branch["data"] for branch in facts["branches"]})
    for branch in facts["branches"]:
        console.print(Text(f"\n{branch['branch']}", style="bold"))
        table = Table(box=None, pad_edge=False, show_header=False)
        for path, dimension in branch["space"].items():
            table.add_row(path, dimension)
        console.print(table)
        default = (
            "is trial 0 of this branch" if branch["default_in_space"] else "lies outside the space and is not tried"
        )
        _print_plain(console, f"The configuration as written {default}.")
        data = branch["data"]
        rows = ", ".join(f"{split} {number}" for split, number in data["num_rows"].items())
        _print_plain(console, f"Rows: {rows}.")
        print_shown(console, data.get("shown") or {})
        print_findings(console, [each for each, labels in found.items() if labels == [branch["branch"]]], indent="  ")
        estimate = branch["estimate"]
        _print_plain(
            console,
            f"As written: {estimate['num_steps']} steps of {estimate['step_seconds']:.3g} s, a measurement "
            f"{estimate['measure_seconds']:.3g} s, a trial about {duration(estimate['trial_seconds'])}; "
            f"peak memory {estimate['peak_memory_gib']:.2g} GiB.",
        )
        if estimate.get("stage_seconds"):
            taken = duration(estimate["stage_seconds"])
            _print_plain(console, f"Stages: about {taken}, once for all trials that agree in them.")
    shared = {finding: labels for finding, labels in found.items() if len(labels) > 1}
    for group in dict.fromkeys(", ".join(labels) for labels in shared.values()):
        console.print(Text(f"\ndata of {group}", style="bold"))
        print_findings(console, [each for each, labels in shared.items() if ", ".join(labels) == group], indent="  ")
    _print_plain(
        console, f"\nAbout {duration(facts['study_seconds'])} for all trials at that setting, without pruning."
    )


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """`ftsweep doctor`."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        table.add_row(check.subject, Text(check.state, style=_CHECK_STYLES[check.state]), Text(check.message))
    console.print(table)


def _print_plain(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
