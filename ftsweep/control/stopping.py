"""Everything that ends a search before its number of trials, watched by the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from ftsweep.config.schema import SweepConfig
from ftsweep.control.budget import (
    first_rung_seconds,
    seconds_left,
    spent_budget,
    spent_for_good,
    trial_seconds,
    worker_seconds,
)
from ftsweep.control.halt import Halt
from ftsweep.control.targets import found_enough
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.atomic import folder_size
from ftsweep.store.folders import StudyFolder
from ftsweep.store.usage import GIB


@dataclass
class Stopping:
    """The one object that is asked why a study should begin nothing more: budgets, target and patience."""

    config: SweepConfig
    folder: StudyFolder
    elapsed_seconds: Callable[[], float] = lambda: 0.0
    """Wall time of this run of the command."""
    _first_rungs: dict[int, float] = field(default_factory=dict)
    """Seconds to the first rung, by trial."""
    _bytes: int = 0
    _measure_again: float = 0.0

    def lasting(self, records: Sequence[TrialRecord]) -> Halt | None:
        """Why the same command, given again, would start no trial either; None where it would."""
        halt = found_enough(self.config.study, records, self.config.objective)
        return halt or spent_for_good(self.config.budget, records, size=self._size)

    def halt(self, records: Sequence[TrialRecord]) -> Halt | None:
        """Why no new trial may start now; None while one may.

        Where nothing is complete yet, trials under way go on until one is: a spent budget still ends with a model.
        """
        budget, elapsed = self.config.budget, self.elapsed_seconds()
        halt = found_enough(self.config.study, records, self.config.objective)
        halt = halt or spent_budget(budget, records, elapsed_seconds=elapsed, size=self._size)
        if halt is None:
            return self._too_late(records)
        is_under_way = any(record.outcome is None for record in records)
        if halt.sets_aside and is_under_way and not any(record.is_complete for record in records):
            return Halt(f"{halt.text} No trial is complete yet: those under way go on until one is.")
        return halt

    def slow_branches(self, records: Sequence[TrialRecord]) -> frozenset[str]:
        """Branches of which a new trial would not reach its first rung in the time that is left, by its trials' median.

        A branch of which nothing has been measured is not among them.
        """
        left = seconds_left(self.config.budget, records, elapsed_seconds=self.elapsed_seconds())
        if left is None:
            return frozenset()
        return frozenset(name for name, seconds in self._estimates(records).items() if seconds > left)

    def may_confirm(
        self, record: TrialRecord, records: Sequence[TrialRecord], confirmed: Sequence[TrialRecord]
    ) -> Halt | None:
        """Why no run with a fresh seed of this trial may start, beside those begun so far; None where it may.

        `records` are the search's trials, one of them `record`. A run is expected to take what its trial took.
        """
        budget, elapsed = self.config.budget, self.elapsed_seconds()
        halt = spent_budget(budget, [*records, *confirmed], elapsed_seconds=elapsed, size=self._size)
        if halt is not None:
            return halt
        used = worker_seconds([*records, *confirmed])
        for run in confirmed:
            if run.outcome is None:  # under way: what is left of it is spoken for
                own = [each for each in records if each.number == run.number]
                used += max(0.0, worker_seconds(own) - worker_seconds([run]))
        needed = {
            f"budget.wall_minutes={budget.wall_minutes}": (budget.wall_minutes, 60, elapsed, trial_seconds(record)),
            f"budget.worker_hours={budget.worker_hours}": (budget.worker_hours, 3600, used, worker_seconds([record])),
        }
        for name, (limit, unit, spent, seconds) in needed.items():
            if limit is not None and unit * limit - spent < seconds:
                left = max(0.0, unit * limit - spent)
                return Halt(f"{name} leaves {left:.0f} s, and trial {record.number} took {seconds:.0f} s.")
        return None

    @property
    def disk_limit(self) -> str:
        """As it is written in a sweep."""
        return f"budget.disk_gib={self.config.budget.disk_gib:g}"

    def excess_bytes(self) -> int:
        """By how much the study's folder is larger than it may be; 0 within the limit, or without one."""
        limit = self.config.budget.disk_gib
        return 0 if limit is None else max(0, self._size() - int(limit * GIB))

    def must_make_room(self, records: Sequence[TrialRecord]) -> bool:
        """Whether paused trials keep more than the limit of disk has room for."""
        if self.excess_bytes() == 0:
            return False
        if not any(record.pause is not None and record.pause.has_checkpoint for record in records):
            return False
        self._measure_again = 0.0  # what is removed is gone: not by an old figure
        return self.excess_bytes() > 0

    def note_freed(self, freed: int) -> None:
        """So many bytes of the folder are gone since."""
        self._bytes -= freed

    def _size(self) -> int:
        """Bytes of the study's folder, looked at so often that it takes at most a hundredth of the time."""
        begin = time.monotonic()
        if begin >= self._measure_again:
            self._bytes = folder_size(self.folder.path)
            end = time.monotonic()
            self._measure_again = end + 100 * (end - begin)
        return self._bytes

    def _too_late(self, records: Sequence[TrialRecord]) -> Halt | None:
        slow = self.slow_branches(records)
        if not slow or len(slow) < len(self.config.branches):
            return None
        quickest = min(self._estimates(records)[name] for name in slow)
        what = f"{_names_of_time(self.config)} leaves too little time for a new trial to reach its first rung"
        return Halt(f"{what} (about {quickest:.0f} s).")

    def _estimates(self, records: Sequence[TrialRecord]) -> dict[str, float]:
        by_branch: dict[str, list[float]] = {}
        for record in records:
            if record.number not in self._first_rungs:
                seconds = first_rung_seconds(record)
                if seconds is None:
                    continue
                self._first_rungs[record.number] = seconds
            by_branch.setdefault(record.proposal.branch, []).append(self._first_rungs[record.number])
        return {branch: median(seconds) for branch, seconds in by_branch.items()}


def _names_of_time(config: SweepConfig) -> str:
    budget = config.budget
    given = {"wall_minutes": budget.wall_minutes, "worker_hours": budget.worker_hours}
    return " or ".join(f"budget.{name}={value:g}" for name, value in given.items() if value is not None)
