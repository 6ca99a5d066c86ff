"""The best settings again, with fresh seeds, in a race: whether a trial won by its setting or by its luck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ftsweep.control.jobs import Jobs
from ftsweep.control.race import Key, Race
from ftsweep.control.reruns import Rerun, Reruns, with_fresh_seed
from ftsweep.domain.spelling import plural
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.resampled import write_resampled


@dataclass
class Confirmation:
    """Makes a race's runs round after round. A round's runs may be under way at once."""

    jobs: Jobs
    race: Race
    refuse: Callable[[TrialRecord], str | None] = lambda record: None
    """Why a trial may not be run again any more; None: it may."""
    note: str = ""
    """What was not run and why, as a sentence; "" when the race was run to its end."""

    def run(self) -> None:
        """Run until no round is left, or one was refused a run.

        Raises:
            Stopped: the user asked to stop; the next process goes on.
            StudyError: nothing can be written; the next process goes on.
        """
        race = self.race
        self._resample([(number, 0) for number in race.numbers])
        while True:
            self._resample(race.sound)
            wanted = race.next().wanted
            if not wanted or self.note:
                self.note = self.note or race.why_nobody()
                return
            runs = {key: self._rerun(key) for key in wanted}
            keys = {run.name: key for key, run in runs.items()}
            reruns = Reruns(
                self.jobs,
                refuse=lambda run: self.refuse(race.record((keys[run.name][0], 0))),  # noqa: B023 - used in this round
                why_stop=lambda run, at: race.why_hopeless(keys[run.name], at),  # noqa: B023
            )
            reruns.run(list(runs.values()), f"confirming the best settings with fresh seeds, round {wanted[0][1]}")
            if reruns.left_out:
                count = len(race.sound)
                what = f"with {plural(count, 'run')} of" if count else "without"
                self.note = f"The choice was made {what} fresh seeds: {reruns.left_out}"

    def _rerun(self, key: Key) -> Rerun:
        number, seed = key
        spec = with_fresh_seed(self.jobs.folder.trial(number).spec(), seed)
        return Rerun(f"confirmation-{number:04d}-{seed}", self.race.place(key), spec, keeps_weights=True)

    def _resample(self, keys: Sequence[Key]) -> None:
        """Have the objective of runs computed on resampled rows; of rows of another split than validation nothing is
        kept.
        """
        objective = self.race.objective
        for key in self.race.unresampled(keys):
            best = self.race.best_rung(key)
            values: Sequence[float] = ()
            if best is not None and objective.split == "validation":
                job = self.jobs.make.resample(self.race.place(key), best.rung, objective.metric)
                values = self.jobs.call(job, "asking the rows how sure a run is")["values"]
            write_resampled(self.race.place(key), values)
