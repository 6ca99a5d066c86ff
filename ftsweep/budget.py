"""Which budget beside the number of trials is spent."""

from __future__ import annotations

from collections.abc import Sequence

from ftsweep.config.schema import Budget
from ftsweep.domain.trial import TrialRecord
from ftsweep.workspace import StudyFolder, folder_size


def spent_budget(
    budget: Budget, records: Sequence[TrialRecord], *, elapsed_seconds: float, folder: StudyFolder
) -> str | None:
    """Why no new trial may start, as a sentence; None while there is budget. Running trials finish in any case."""
    if budget.wall_minutes is not None and elapsed_seconds >= 60 * budget.wall_minutes:
        return f"No new trial: budget.wall_minutes={budget.wall_minutes:g} is spent."
    if budget.worker_hours is not None:
        seconds = sum(record.measurements[-1].train_seconds for record in records if record.measurements)
        if seconds >= 3600 * budget.worker_hours:
            return f"No new trial: budget.worker_hours={budget.worker_hours:g} are spent."
    if budget.disk_gib is not None and folder_size(folder.path) > budget.disk_gib * 2**30:
        return f"No new trial: the study's folder is larger than budget.disk_gib={budget.disk_gib:g}."
    return None
