"""What `ftsweep plan` prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from ftsweep.cli.console import print_findings, print_line
from ftsweep.cli.render import rich_table
from ftsweep.cli.shown_row import print_shown
from ftsweep.cli.workers_text import lanes_text
from ftsweep.control.data_findings import collect
from ftsweep.control.threads import sharing_text
from ftsweep.domain.finding import Finding
from ftsweep.domain.spelling import plural
from ftsweep.report.tables.cells import words
from ftsweep.report.tables.table import Row, Table, columns
from ftsweep.report.wording import duration, seconds


def print_plan(console: Console, facts: Mapping[str, Any]) -> None:
    """All of a plan, as `make_plan` returns it."""
    objective = facts["objective"]
    lanes = f" of {plural(facts['lanes']['lanes'], 'lane')}" if facts["lanes"]["lanes"] > 1 else ""
    workers = f"{plural(facts['num_workers'], 'worker')}{lanes}, to {objective['direction']} {objective['key']}"
    tried = f"{plural(facts['num_trials'], 'trial')} of {plural(facts['num_rungs'], 'rung')}"
    print_line(console, f"{facts['study']}: {tried} on {workers}")
    for label, measured in facts["lanes"]["branches"].items():
        print_line(console, f"Lanes of {label}: {lanes_text(measured)}")
    found = collect({branch["branch"]: branch["data"] for branch in facts["branches"]})
    in_space = [branch["branch"] for branch in facts["branches"] if branch["default_in_space"]]
    for branch in facts["branches"]:
        default_trial = in_space.index(branch["branch"]) if branch["default_in_space"] else None
        own = [each for each, labels in found.items() if labels == [branch["branch"]]]
        _print_branch(console, branch, own, default_trial)
        _print_answers(console, branch["estimate"], objective)
    shared = {finding: labels for finding, labels in found.items() if len(labels) > 1}
    for group in dict.fromkeys(", ".join(labels) for labels in shared.values()):
        print_line(console, f"\ndata of {group}", "bold")
        print_findings(console, [each for each, labels in shared.items() if ", ".join(labels) == group], indent="  ")
    if facts["sharing"]:
        print_line(console, f"\n{sharing_text(facts['sharing'])}; a study times it when it begins, and keeps that.")
    print_line(console, f"\nAbout {duration(facts['study_seconds'])} for all trials at that setting, without pruning.")


def _print_branch(
    console: Console, branch: Mapping[str, Any], findings: Sequence[Finding], default_trial: int | None
) -> None:
    """default_trial: the number that the branch's default setting gets; None: it is not tried."""
    print_line(console, f"\n{branch['branch']}", "bold")
    rows = tuple(Row((words(path), words(dimension))) for path, dimension in branch["space"].items())
    console.print(rich_table(Table(columns("", "", text=[""]), rows)))
    default = "lies outside the space and is not tried" if default_trial is None else f"is trial {default_trial}"
    print_line(console, f"The configuration as written {default}.")
    rows_text = ", ".join(f"{split} {number}" for split, number in branch["data"]["num_rows"].items())
    print_line(console, f"Rows: {rows_text}.")
    print_shown(console, branch["data"].get("shown") or {})
    print_findings(console, findings, indent="  ")
    estimate = branch["estimate"]
    print_line(
        console,
        f"As written: {plural(estimate['num_steps'], 'step')} of {estimate['step_seconds']:.3g} s, a measurement "
        f"{estimate['measure_seconds']:.3g} s, a trial about {seconds(estimate['trial_seconds'])}; "
        f"peak memory {estimate['peak_memory_gib']:.2g} GiB.",
    )
    if "compile_seconds" in estimate:
        print_line(console, compiling_text(estimate))
    measuring = branch["measuring"]
    if measuring and measuring["fewer"]:
        print_line(
            console,
            f"Measuring at its rungs is {100 * measuring['share']:.0f} % of a trial, "
            f"{100 * measuring['share_of_fewer']:.0f} % with fewer: rungs.count={measuring['fewer']}",
        )
    if estimate.get("stage_seconds"):
        taken = duration(estimate["stage_seconds"])
        print_line(console, f"Stages: about {taken}, once for all trials that agree in them.")


def compiling_text(estimate: Mapping[str, Any]) -> str:
    """What training.compile costs and brings: a start, and of each step what it saves."""
    taken, compiled, plain = (estimate[key] for key in ("compile_seconds", "step_seconds", "plain_step_seconds"))
    start = f"Compiling takes {seconds(taken)} before the first step, where the worker has compiled nothing like it yet"
    if compiled >= plain:
        return f"{start}; a step is no quicker for it ({plain:.3g} s without): training.compile=false"
    steps = math.ceil(taken / (plain - compiled))
    pays = f"a step takes {compiled:.3g} s in the place of {plain:.3g} s, which pays from {plural(steps, 'step')} on"
    if steps <= estimate["num_steps"]:
        return f"{start}; {pays}."
    return f"{start}; {pays}, and a trial as written has {estimate['num_steps']}: training.compile=false"


def _print_answers(console: Console, estimate: Mapping[str, Any], objective: Mapping[str, Any]) -> None:
    """When answers are generated, what that costs, and what it means for pruning."""
    if not estimate.get("answer_rungs"):
        return
    rungs = [str(rung) for rung in estimate["answer_rungs"]]
    where = f"rung {rungs[0]}" if len(rungs) == 1 else f"rungs {', '.join(rungs[:-1])} and {rungs[-1]}"
    print_line(
        console,
        f"Answers: {estimate['num_answered']:.0f} rows of validation at {where}, {estimate['answer_seconds']:.3g} s "
        "each time; a trained model often ends its answers sooner.",
    )
    if objective["is_generated"]:
        print_line(console, f"{objective['key']} is measured there alone: pruner and patience count these rungs only.")
