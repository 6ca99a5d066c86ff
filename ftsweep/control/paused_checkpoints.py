"""What paused trials keep on disk: it counts against no trial's start, and goes first where the limit is reached."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.atomic import folder_size
from ftsweep.store.folders import StudyFolder


def paused_bytes(folder: StudyFolder, records: Iterable[TrialRecord]) -> int:
    """What the checkpoints of paused trials take."""
    return sum(folder_size(folder.trial(record.number).checkpoint) for record in records if record.pause is not None)


def least_missed(records: Iterable[TrialRecord], objective: Objective) -> list[TrialRecord]:
    """Paused trials with a checkpoint, in the order in which these go: those at the lowest rung, of them the worst."""
    sign = 1.0 if objective.direction == "minimize" else -1.0

    def key(record: TrialRecord) -> tuple[int, bool, float, int]:
        best = record.best(objective)
        is_sound = best is not None and best.is_feasible
        loss = math.inf if best is None else sign * objective.value(best)
        assert record.pause is not None
        return record.pause.rung, is_sound, -loss, -record.number

    return sorted((each for each in records if each.pause is not None and each.pause.has_checkpoint), key=key)


def dropped_text(records: Sequence[TrialRecord], limit: str) -> str:
    """That the checkpoints of these trials were removed, and what that means for them."""
    numbers = ", ".join(str(record.number) for record in records)
    whose = (
        f"The checkpoint of paused trial {numbers} was"
        if len(records) == 1
        else (f"The checkpoints of paused trials {numbers} were")
    )
    return f"{whose} removed to keep {limit}: resumed, such a trial begins anew, to the same values."
