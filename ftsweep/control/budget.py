"""Which budget beside the number of trials is spent, and how long a trial and its first rung take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import median

from ftsweep.config.schema import Budget
from ftsweep.control.halt import Halt
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.usage import GIB


def spent_budget(
    budget: Budget, records: Sequence[TrialRecord], *, elapsed_seconds: float, size: Callable[[], int]
) -> Halt | None:
    """The budget that is spent; None while there is some of each. `size` tells the bytes of the study's folder.

    Of time that is spent trials under way are set aside; a folder that is too large lets them finish, which frees most
    of what they take.
    """
    if budget.wall_minutes is not None and elapsed_seconds >= 60 * budget.wall_minutes:
        return Halt(f"budget.wall_minutes={budget.wall_minutes:g} is spent.", sets_aside=True)
    return spent_for_good(budget, records, size=size)


def spent_for_good(budget: Budget, records: Sequence[TrialRecord], *, size: Callable[[], int]) -> Halt | None:
    """A spent budget that running the same command again does not renew."""
    if budget.worker_hours is not None and worker_seconds(records) >= 3600 * budget.worker_hours:
        return Halt(f"budget.worker_hours={budget.worker_hours:g} are spent.", sets_aside=True)
    if budget.disk_gib is not None and size() > budget.disk_gib * GIB:
        return Halt(f"The study's folder is larger than budget.disk_gib={budget.disk_gib:g}: no new trial.")
    return None


def seconds_left(budget: Budget, records: Sequence[TrialRecord], *, elapsed_seconds: float) -> float | None:
    """What the budgets of time leave, the smaller of both; None without any."""
    left = []
    if budget.wall_minutes is not None:
        left.append(60 * budget.wall_minutes - elapsed_seconds)
    if budget.worker_hours is not None:
        left.append(3600 * budget.worker_hours - worker_seconds(records))
    return min(left, default=None)


def worker_seconds(records: Iterable[TrialRecord]) -> float:
    """The training time of trials, as far as they have measured it."""
    return sum(max(_told_seconds(record), _measured_seconds(record)) for record in records)


def first_rung_seconds(record: TrialRecord) -> float | None:
    """Wall time from the measurement before training to that of the first rung; None before it was reached."""
    begin = next((each for each in record.measurements if each.rung == 0), None)
    first = next((each for each in record.measurements if each.rung > 0), None)
    return None if begin is None or first is None else (first.timestamp - begin.timestamp) / first.rung


def trial_seconds(record: TrialRecord) -> float:
    """About how much wall time a trial took. By the median gap between rungs: a kill makes one gap long, not all."""
    gaps = [later.timestamp - earlier.timestamp for earlier, later in pairwise(record.measurements)]
    return max(median(gaps) * len(gaps), _measured_seconds(record)) if gaps else _measured_seconds(record)


def _measured_seconds(record: TrialRecord) -> float:
    return record.measurements[-1].train_seconds if record.measurements else 0.0


def _told_seconds(record: TrialRecord) -> float:
    return float(record.outcome.extra.get("train_seconds", 0.0)) if record.outcome is not None else 0.0
