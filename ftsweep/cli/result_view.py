"""What several verbs print of a study's result: its tables and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ftsweep.analysis.conclusion import next_command, said_in_full
from ftsweep.analysis.flagged_rows import said_of_flagged
from ftsweep.cli.console import print_line
from ftsweep.cli.render import rich_table
from ftsweep.domain.objective import Objective
from ftsweep.domain.result import StudyResult
from ftsweep.domain.spelling import number, plural
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import PAUSED, OutcomeKind
from ftsweep.domain.verdict import Verdict
from ftsweep.report.tables.approaches import approach_table
from ftsweep.report.tables.confirmation import confirmation_table
from ftsweep.report.tables.data_scaling import data_scaling_table
from ftsweep.report.tables.flagged_rows import flagged_table, is_comparable
from ftsweep.report.tables.scores import tested_table
from ftsweep.report.tables.table import Table
from ftsweep.report.wording import duration


def counts_text(state: StudyState) -> str:
    """`12 trials: 9 complete, 3 pruned; 40 s of training.`"""
    if not state.trials:
        return "No trial has started yet."
    counts = [(kind, state.count(kind)) for kind in OutcomeKind]
    parts = [f"{count} {kind}" for kind, count in counts if count]
    if state.paused:
        parts.append(f"{len(state.paused)} {PAUSED}")
    if state.running:
        parts.append(f"{len(state.running)} {'to be continued' if state.is_at_rest else 'running'}")
    seconds = sum(record.measurements[-1].train_seconds for record in state.trials if record.measurements)
    return f"{plural(len(state.trials), 'trial')}: {', '.join(parts)}; {duration(seconds)} of training."


def print_scores(console: Console, result: StudyResult, objective: Objective) -> None:
    """With branches the approaches; without, what was measured on test. Then what was run again with fresh seeds."""
    if approaches := approach_table(result.approaches, objective, result.number):
        console.print(rich_table(approaches))
        console.print()
    else:
        _print_table(console, tested_table(result, objective))
    _print_table(console, confirmation_table(result, objective))
    if result.flagged:
        if is_comparable(result.flagged, objective):
            _print_table(console, flagged_table(result.flagged, objective))
        print_line(console, said_of_flagged(result.flagged, objective))
    if result.quantity:
        _print_table(console, data_scaling_table(result, objective))
        print_line(console, result.quantity.sentence)


def print_conclusion(console: Console, state: StudyState, store: Path | str) -> None:
    """What the study came to, in the words that every screen has, and the command to go on with."""
    assert state.result is not None
    styles = ["bold green" if state.result.model else "bold red", "bold" if state.result.advice else ""]
    for i, text in enumerate(said_in_full(state.result, state.trials, state.objective)):
        print_line(console, text, styles[i] if i < len(styles) else "")
    print_line(console, f"Next: {next_command(state.result, state.trials, state.objective, state.study, store)}")


def print_search(console: Console, verdicts: Sequence[Verdict]) -> None:
    """What a study shows about its own search, a line each."""
    for verdict in verdicts:
        print_line(console, f"Search, {verdict.text}")


def optimism_text(result: StudyResult, objective: Objective) -> str:
    """What the choice made of the model's validation value, and how test compares; "" where neither is known."""
    model = result.model
    if model is None:
        return ""
    parts = [f"{objective.metric} {number(model.value)} on validation"]
    if model.corrected is not None and model.num_models > 1:
        luck = f"the luck of being the best of {model.num_models} models on the same rows"
        parts.append(f"about {number(model.corrected)} without {luck} ({number(model.optimism, digits=2)})")
    other = result.model_test.get(objective.metric)
    if other is not None and not math.isnan(other):
        gain = other - model.value if objective.direction == "minimize" else model.value - other
        sure = result.intervals.get(model.name, {}).get(objective.metric)
        by_chance = ", as chance may have it" if sure is not None and sure.low <= model.value <= sure.high else ""
        distance = f"{number(abs(gain), digits=2)} {'worse' if gain > 0 else 'better'} than it looked{by_chance}"
        parts.append(f"{number(other)} on test, {distance if gain else 'as good as it looked'}")
    return f"Optimism: {', '.join(parts)}." if len(parts) > 1 else ""


def _print_table(console: Console, table: Table | None) -> None:
    if table is not None:
        console.print(rich_table(table))
