"""The end of `ftsweep run`: trials, the winner in one sentence, and where to look next."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from ftsweep.cli.console import print_findings, print_line
from ftsweep.cli.live_view import print_trials
from ftsweep.cli.result_view import counts_text, print_conclusion, print_scores, print_search
from ftsweep.config.build import build_own
from ftsweep.control.data_findings import collect
from ftsweep.control.run import Launched
from ftsweep.domain.commands import store_command, study_command
from ftsweep.domain.finding import Severity
from ftsweep.domain.result import StudyResult
from ftsweep.store.folders import StudyFolder


def print_ending(console: Console, launched: Launched) -> None:
    """All that a person is told when `run_study` has returned."""
    state = launched.state
    print_trials(console, state)
    console.print()
    if launched.was_complete:
        print_line(console, f"Study {state.study!r} is complete: nothing was started.")
    print_line(console, counts_text(state))
    if state.result is not None:
        _print_result(console, launched, state.result)
    else:
        ended = f"{state.num_ended} of {state.num_planned} trials ended"
        print_line(console, f"Stopped with {ended}; the same command goes on.")
    if launched.database is not None:
        print_line(console, f"Database {launched.database}.")
    if launched.address:
        print_line(console, f"Address {launched.address}.")
    for warning in (*launched.warnings, *launched.left):
        print_line(console, f"Note: {warning}", "yellow")
    links = links_of(launched)
    width = max((len(label) for label in links), default=0) + 1
    for label, link in links.items():
        print_line(console, link, prefix=f"  {label + ':':<{width}} ")


def _print_result(console: Console, launched: Launched, result: StudyResult) -> None:
    state = launched.state
    found = [finding for finding in collect(result.data) if finding.severity is not Severity.NOTE]
    print_findings(console, found, indent="Data, ")
    print_scores(console, result, state.objective)
    print_search(console, launched.verdicts)
    print_conclusion(console, state, launched.folder.store.name)


def links_of(launched: Launched) -> dict[str, str]:
    """Where to look and what to do next, by label."""
    store = launched.folder.store.name
    links = {"report": str(launched.folder.report_file)} if launched.folder.report_file.exists() else {}
    links.update(launched.links)
    if links.get("MLflow") == "ftsweep ui":  # which prints the study's page
        links["MLflow"] = store_command("ui", store=store)
    if launched.state.result is not None and launched.state.result.model is not None:
        links["predict"] = _predict_command(launched.folder, launched.state.result.model.number)
    return links


def _predict_command(folder: StudyFolder, number: int) -> str:
    """A text on standard input, or, of a trial whose model compares two answers, a file of rows."""
    trial = folder.trial(number)
    task = trial.spec()["config"].get("task") if trial.spec_file.is_file() else None
    own = build_own(task) if task else None
    if own is not None and own.num_sequences > 1:
        return study_command("predict", folder.name, "PAIRS.jsonl", store=folder.store.name)
    return f"echo TEXT | {study_command('predict', folder.name, store=folder.store.name)}"


def ending_json(launched: Launched) -> dict[str, Any]:
    """The same for scripts."""
    state = launched.state
    return {
        "study": state.study,
        "phase": state.phase,
        "was_complete": launched.was_complete,
        "num_trials": len(state.trials),
        "num_ended": state.num_ended,
        "num_paused": len(state.paused),
        "conclusion": state.result.to_dict() if state.result else None,
        "verdicts": [verdict.to_dict() for verdict in launched.verdicts],
        "links": links_of(launched),
        "warnings": launched.warnings,
        "database": launched.database.to_dict() if launched.database else None,
    }
