"""The best settings again, with fresh seeds: whether a trial won by its setting or by its luck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ftsweep.control.jobs import Jobs
from ftsweep.control.reruns import Rerun, Reruns, with_fresh_seed
from ftsweep.domain.trial import TrialRecord


@dataclass
class Confirmation:
    """Runs chosen trials again, each with its setting and every fresh seed."""

    jobs: Jobs
    refuse: Callable[[TrialRecord], str | None] = lambda record: None
    """Why a trial may not be run again any more; None: it may."""
    note: str = ""
    """What was not made and why, as a sentence; "" when all was made."""

    def run(self, records: Sequence[TrialRecord], num_seeds: int) -> dict[int, list[TrialRecord]]:
        """Runs of each trial by its number, one per fresh seed, in the order of the seeds.

        All trials have as many: where a run is refused, its seed counts for no trial, and {} means that none is left.

        Raises:
            Stopped: the user asked to stop; the next process goes on.
        """
        runs = {record.number: [self._rerun(record, index + 1) for index in range(num_seeds)] for record in records}
        by_seed = [of_trial[index] for index in range(num_seeds) for of_trial in runs.values()]
        records_by_run = {run.name: record for record in records for run in runs[record.number]}
        reruns = Reruns(self.jobs, refuse=lambda run: self.refuse(records_by_run[run.name]))
        reruns.run(by_seed, "confirming the best settings with fresh seeds")
        made = [index for index in range(num_seeds) if all(each[index].folder.outcome() for each in runs.values())]
        if len(made) < num_seeds:
            what = f"with {len(made)} of {num_seeds} fresh seeds" if made else "without fresh seeds"
            self.note = f"The winner was chosen {what}: {reruns.left_out}"
        if not made:
            return {}
        return {each.number: [runs[each.number][index].record(each.proposal) for index in made] for each in records}

    def _rerun(self, record: TrialRecord, index: int) -> Rerun:
        spec = with_fresh_seed(self.jobs.folder.trial(record.number).spec(), index)
        folder = self.jobs.folder.confirmation(record.number, index)
        return Rerun(f"confirmation-{record.number:04d}-{index}", folder, spec)
