"""Whole approaches side by side as a table in words, for pages and terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.analysis.approach import Approach
from ftsweep.analysis.comparison import compare
from ftsweep.domain.objective import Objective
from ftsweep.report.settings import Settings
from ftsweep.report.wording import NOTHING, number, seconds
from ftsweep.store.folders import StudyFolder


@dataclass(frozen=True)
class ApproachLine:
    name: str
    cells: tuple[str, ...]
    is_best: bool


@dataclass(frozen=True)
class ApproachTable:
    """Scores and costs, the cheapest approach first. Cells are words; what nobody measured is a dash."""

    columns: tuple[str, ...]
    lines: tuple[ApproachLine, ...]


def read_approaches(
    folder: StudyFolder,
    settings: Settings,
    notes: Mapping[str, Any],
    baseline: Mapping[str, Mapping[str, float]],
) -> tuple[Approach, ...]:
    """From the result; before there is one, from the trials so far.

    notes: the study's result, or {}. baseline: validation metrics by branch label.
    """
    if notes.get("approaches"):
        return tuple(Approach.from_dict(approach) for approach in notes["approaches"])
    if not settings.branches:
        return ()
    own = {label: values for label, values in baseline.items() if label in settings.branches}
    return tuple(
        compare(
            folder.records(), settings.objective, settings.branches, baseline=own, test=notes.get("test") or {}, data={}
        )
    )


def approach_table(approaches: Sequence[Approach], objective: Objective, best: int | None) -> ApproachTable | None:
    """`best` is the number of the best trial of all. None in a study without branches."""
    if not approaches:
        return None
    told = [name for name, metric in objective.metrics.items() if metric.is_readable]
    metrics = [name for name in dict.fromkeys([objective.metric, *told]) if any(name in a.test for a in approaches)]
    has_forgetting = any(approach.forgetting is not None for approach in approaches)
    columns = ["best trial", objective.key, *(f"test/{name}" for name in metrics)]
    columns += ["weights trained", "training time", "trials", "time of all"]
    lines = []
    for one in approaches:
        cells = [(one.fate or NOTHING) if one.trial is None else str(one.trial)]
        cells.append(number(one.validation.get(objective.metric)))
        cells += [number(one.test.get(name)) for name in metrics]
        cells.append(NOTHING if one.trained_parameters is None else f"{one.trained_parameters:,}")
        cells.append(NOTHING if one.train_seconds is None else seconds(one.train_seconds))
        cells += [NOTHING, NOTHING] if one.is_base else [str(one.num_trials), seconds(one.branch_seconds)]
        cells += [number(one.forgetting)] if has_forgetting else []
        name = one.name if one.is_comparable else f"{one.name} (other data)"
        lines.append(ApproachLine(name, tuple(cells), best is not None and one.trial == best))
    return ApproachTable((*columns, *(["forgetting"] if has_forgetting else [])), tuple(lines))
