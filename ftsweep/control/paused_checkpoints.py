"""Which checkpoints of paused trials go first where the limit of disk is reached."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import TrialRecord


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
    which = ("trial " if len(records) == 1 else "trials ") + ", ".join(str(record.number) for record in records)
    anew = "Resumed, they begin anew, to the same values."
    return f"{limit} is reached: checkpoints of paused trials were removed ({which}). {anew}"
