"""When a study has found enough: its target is reached, or trials have stopped getting better."""

from __future__ import annotations

from collections.abc import Sequence

from ftsweep.config.schema import StudySettings
from ftsweep.control.halt import Halt
from ftsweep.domain.objective import Objective
from ftsweep.domain.ranking import rank
from ftsweep.domain.spelling import number
from ftsweep.domain.trial import OutcomeKind, TrialRecord


def found_enough(settings: StudySettings, records: Sequence[TrialRecord], objective: Objective) -> Halt | None:
    """Why the study has found enough; None while it has not. Depends on the trials only, so a restart decides alike."""
    if settings.target is None and settings.patience is None:
        return None
    values = {contender.number: contender.value for contender in rank(records, objective)}
    return _target_reached(settings, values, objective) or _out_of_patience(settings, records, values, objective)


def _target_reached(settings: StudySettings, values: dict[int, float], objective: Objective) -> Halt | None:
    target = settings.target
    if target is None or not values:
        return None
    best, value = next(iter(values.items()))
    if objective.is_better(target, value):
        return None
    return Halt(f"Trial {best} reached study.target={target:g}: {objective.key} {number(value)}.", sets_aside=True)


def _out_of_patience(
    settings: StudySettings, records: Sequence[TrialRecord], values: dict[int, float], objective: Objective
) -> Halt | None:
    """Trials count in the order of their numbers from the first complete one on; those that failed say nothing."""
    if settings.patience is None:
        return None
    best: tuple[int, float] | None = None
    num_since = 0
    for record in sorted(records, key=lambda record: record.number):
        value = values.get(record.number)
        if value is not None and (best is None or _improves(value, best[1], settings.min_delta, objective)):
            best, num_since = (record.number, value), 0
        elif best is not None and record.outcome is not None and record.outcome.kind is not OutcomeKind.FAILED:
            num_since += 1
    if best is None or num_since < settings.patience:
        return None
    more = f" by more than study.min_delta={settings.min_delta:g}" if settings.min_delta else ""
    last = "last trial was" if num_since == 1 else f"last {num_since} trials were"
    return Halt(f"The {last} no better than trial {best[0]}{more} (study.patience={settings.patience}).")


def _improves(value: float, best: float, min_delta: float, objective: Objective) -> bool:
    return objective.is_better(value, best) and abs(value - best) > min_delta
