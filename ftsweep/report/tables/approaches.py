"""Whole approaches side by side, with scores and costs."""

from __future__ import annotations

from collections.abc import Sequence

from ftsweep.domain.approach import Approach
from ftsweep.domain.objective import Objective
from ftsweep.domain.spelling import NOTHING
from ftsweep.report.tables.cells import count, figure, scores, time_taken, words
from ftsweep.report.tables.table import Cell, Row, Table, columns, data_table


def approach_table(approaches: Sequence[Approach], objective: Objective, best: int | None) -> Table | None:
    """The cheapest first. `best` is the number of the best trial of all. None in a study without branches."""
    if not approaches:
        return None
    told = [name for name, metric in objective.metrics.items() if metric.is_readable]
    metrics = [name for name in dict.fromkeys([objective.metric, *told]) if any(name in a.test for a in approaches)]
    has_forgetting = any(approach.forgetting is not None for approach in approaches)
    names = ["approach", "best trial", objective.key, *(f"test/{name}" for name in metrics), "weights trained"]
    names += ["training time", "trials", "time of all", *(["forgetting"] if has_forgetting else [])]
    rows = []
    for one in approaches:
        cells = [words(one.name if one.is_comparable else f"{one.name} (other data)")]
        cells.append(words(one.fate or NOTHING) if one.trial is None else count(one.trial))
        cells += [figure(one.validation.get(objective.metric)), *scores(one.test, metrics)]
        cells += [count(one.trained_parameters), time_taken(one.train_seconds)]
        cells += [Cell(NOTHING)] * 2 if one.is_base else [count(one.num_trials), time_taken(one.branch_seconds)]
        cells += [figure(one.forgetting)] if has_forgetting else []
        rows.append(Row(tuple(cells), "best" if best is not None and one.trial == best else ""))
    return Table(
        columns(*names, text=["approach"]),
        tuple(rows),
        title="approaches, the cheapest first",
        note="Each by its best complete trial, the cheapest first. An approach is chosen by validation alone.",
        best="the approach of the chosen model",
    )


def approach_data(approaches: Sequence[Approach]) -> Table:
    """Everything known of each approach, for a file; a cell is empty where nothing is known."""
    lines = []
    for approach in approaches:
        line = {**approach.to_dict(), "branches": " ".join(approach.branches)}
        del line["validation"], line["test"], line["errors"]
        errors = {f"test/{name}_standard_error": error for name, error in approach.errors.items()}
        lines.append({**line, **approach.scores(), **errors})
    names = list(dict.fromkeys(key for line in lines for key in line))
    return data_table(names, ([line.get(name) for name in names] for line in lines))
