"""Whether more data would still help: the chosen setting trained on nested parts of train."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ftsweep.analysis.data_scaling import SHARES, as_result, gains_of
from ftsweep.control.jobs import Jobs
from ftsweep.control.reruns import Rerun, Reruns, with_fresh_seed
from ftsweep.domain.data_scaling import DataPoint, DataScaling
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import TrialRecord

FEW_EXAMPLES = (
    "Parts of train were not tried: the chosen setting learns from k examples of it, and how many it needs is what "
    "strategy.k in the space tells."
)


@dataclass
class QuantityProbe:
    """Runs a trial's setting on 25, 50 and 100 % of train, with the same fresh seeds on each.

    Fresh ones, because the trial's own value was chosen for being good, and would make the largest part look too good.
    On the whole of train these are the confirmation's runs, where it made them.
    """

    jobs: Jobs
    objective: Objective
    takes_few: bool = False
    """Whether the trial's strategy learns from few examples of train anyway: then nothing is run."""
    refuse: Callable[[TrialRecord], str | None] = lambda record: None
    """Why the trial may not be run again any more; None: it may."""

    def measure(self, record: TrialRecord, num_seeds: int, num_examples: int) -> DataScaling:
        """What the setting comes to on each part; `num_examples` are train's. No points where a run was refused.

        Raises:
            Stopped: the user asked to stop; the next process goes on.
        """
        if self.takes_few:
            return DataScaling(FEW_EXAMPLES)
        seeds = range(1, num_seeds + 1)
        runs = {share: [self._rerun(record, share, index) for index in seeds] for share in SHARES}
        wanted = [runs[share][index] for index in range(num_seeds) for share in SHARES]
        reruns = Reruns(self.jobs, refuse=lambda run: self.refuse(record))
        reruns.run(wanted, f"training trial {record.number}'s setting on parts of train")
        if reruns.left_out:
            sentence = f"Whether more data would help was not tried to the end: {reruns.left_out}"
            return DataScaling(sentence, left_out=reruns.left_out)
        points = [
            DataPoint(
                share,
                max(1, round(share * num_examples)),
                tuple(self._value(run.record(record.proposal)) for run in runs[share]),
            )
            for share in SHARES
        ]
        rows = {pair: self._compared(record, *(runs[share] for share in pair)) for pair in pairwise(SHARES)}
        return as_result(points, gains_of(points, self.objective, rows), self.objective)

    def _rerun(self, record: TrialRecord, share: float, index: int) -> Rerun:
        spec = with_fresh_seed(self.jobs.folder.trial(record.number).spec(), index)
        confirmed = self.jobs.folder.confirmation(record.number, index)
        if share == 1.0 and confirmed.outcome() is not None:
            return Rerun(f"confirmation-{record.number:04d}-{index}", confirmed, spec, keeps_weights=True)
        folder = self.jobs.folder.quantity(record.number, share, index)
        return Rerun(f"quantity-{folder.path.name}", folder, {**spec, "train_share": share})

    def _value(self, record: TrialRecord) -> float | None:
        best = self.objective.best(record.measurements) if record.is_complete else None
        value = None if best is None else self.objective.value(best)
        return value if value is not None and math.isfinite(value) else None

    def _compared(self, record: TrialRecord, smaller: list[Rerun], larger: list[Rerun]) -> tuple[float, float] | None:
        """The paired difference on validation's rows, and its standard error."""
        if self.objective.split != "validation":
            return None
        job = self.jobs.make.compare(
            record.number, self._best_rungs(smaller), self._best_rungs(larger), self.objective.metric
        )
        answer = self.jobs.call(job, "comparing parts of train row by row")
        return (answer["difference"], answer["standard_error"]) if answer else None

    def _best_rungs(self, runs: list[Rerun]) -> list[tuple[Path, int]]:
        """Runs by folder, each with its best rung."""
        best = [(run, self.objective.best(run.folder.measurements())) for run in runs]
        return [(run.folder.path, found.rung) for run, found in best if found]
