"""What a model scores on the held-out rows that guards flagged, and on the others: whether they flatter it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ftsweep.data.prepared import PreparedSet
from ftsweep.evaluation.intervals import evidence_of
from ftsweep.evaluation.resampling import intervals, scores_of
from ftsweep.store.row_scores import RowEvidence
from ftsweep.tasks.base import Task

CLEAN, FLAGGED = "clean", "flagged"
"""Rows that no guard flagged, and those that any did; beside these two the guards by name."""

MIN_ROWS = 10
"""Of fewer (or of fewer groups, where rows have any) there is no interval: resamples of a handful show less than half
of their noise.
"""


def validation_by_flags(task: Task, prepared: PreparedSet, job: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a `flagged` job: `by_flags` of a trial's validation rows at the rung in `job`."""
    return by_flags(task, prepared, "validation", evidence_of(Path(job["folder"]), job["rung"]))


def by_flags(task: Task, prepared: PreparedSet, split_name: str, runs: Sequence[RowEvidence]) -> dict[str, Any]:
    """Metrics of the clean rows, of all flagged ones and of each guard's: by name `num_rows`, `values`, `intervals`.

    `runs` are what one or more models did on the examples of a split; metrics are their means. {} where no row is
    flagged, where rows are not told apart (`Task.mixes_rows`), and where it is not known what was done on each.
    """
    rows = {name: set(found) for name, found in prepared.flagged(split_name).items() if found}
    if not rows or not runs or task.mixes_rows:
        return {}
    split = prepared.split(split_name)
    owners = np.array([split.row_index(index) for index in range(len(split))])
    if any(len(run.losses) != len(owners) for run in runs):
        return {}
    masks = {name: np.isin(owners, list(found)) for name, found in rows.items()}
    flagged = np.logical_or.reduce(list(masks.values()))
    parts = {CLEAN: ~flagged, FLAGGED: flagged, **masks}
    return {name: _scores(task, mask, runs) for name, mask in parts.items() if mask.any()}


def _scores(task: Task, mask: np.ndarray, runs: Sequence[RowEvidence]) -> dict[str, Any]:
    chosen = [run.part(mask) for run in runs]
    sure = intervals(task, *chosen) if chosen[0].num_clusters >= MIN_ROWS else {}
    return {
        "num_rows": int(mask.sum()),
        "values": scores_of(task, *chosen),
        "intervals": {name: found.to_dict() for name, found in sure.items()},
    }
