"""The order of trials from the best to the worst: the one rule by which a best trial is named anywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import TrialRecord


@dataclass(frozen=True)
class Contender:
    """A complete trial with its best rung."""

    number: int
    value: float
    rung: int


def rank(records: Sequence[TrialRecord], objective: Objective) -> list[Contender]:
    """Complete and feasible trials by the objective at their best rung, best first; ties to the lower number.

    A pruned trial is never among them, however good its last value was.
    """
    complete = [record for record in records if record.is_complete and is_feasible(record)]
    found = {record.number: record.best(objective) for record in complete}
    return _ranked({number: best for number, best in found.items() if best and best.is_feasible}, objective)


def rank_of_all(records: Sequence[TrialRecord], objective: Objective) -> list[Contender]:
    """As `rank`, if rungs had no constraints: by the best of all rungs of all complete trials."""
    complete = [record for record in records if record.is_complete]
    found = {record.number: objective.best_of_all(record.measurements) for record in complete}
    return _ranked({number: best for number, best in found.items() if best}, objective)


def is_feasible(record: TrialRecord) -> bool:
    """Whether every constraint holds at one of the trial's rungs at least; a NaN does not."""
    trained = [measurement for measurement in record.measurements if measurement.rung > 0]
    return any(measurement.is_feasible for measurement in trained) or not trained


def _ranked(best: Mapping[int, Measurement], objective: Objective) -> list[Contender]:
    contenders = [
        Contender(number, objective.value(measurement), measurement.rung)
        for number, measurement in best.items()
        if math.isfinite(objective.value(measurement))
    ]
    sign = 1 if objective.direction == "minimize" else -1
    return sorted(contenders, key=lambda contender: (sign * contender.value, contender.number))
