"""The studies of a store, a line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftsweep.domain.answers import model_label
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.study_state import read_state
from ftsweep.store.usage import study_use


@dataclass(frozen=True)
class StudyLine:
    """A study in short. `state` is its phase; `best_trial` and `best_value` are the chosen model's, or the best so far;
    None before any trial is complete.
    """

    study: str
    state: str
    num_ended: int
    num_paused: int
    num_planned: int
    objective: str
    best_trial: int | None
    best_seed: int
    """The fresh seed of the model that is chosen; 0: it is the trial's own."""
    best_value: float | None
    size_bytes: int
    disk: Mapping[str, int]
    """Bytes by what they are for: see `ftsweep.store.usage.study_use`."""

    @property
    def best_name(self) -> str:
        """`trial 3`, or `trial 3, fresh seed 1`: whose value `best_value` is."""
        return "" if self.best_trial is None else model_label(self.best_trial, self.best_seed)


def read_store(store: Store) -> list[StudyLine]:
    """Every study of the store, by name."""
    return [_line(folder) for folder in store.studies()]


def _line(folder: StudyFolder) -> StudyLine:
    state, disk = read_state(folder, with_verdicts=False), study_use(folder)
    best = state.best
    model = state.result.model if state.result is not None and state.is_concluded else None
    value = model.value if model is not None else state.value(best) if best else None
    return StudyLine(
        study=state.study,
        state=state.phase,
        num_ended=state.num_ended,
        num_paused=len(state.paused),
        num_planned=state.num_planned,
        objective=state.objective.key,
        best_trial=best.number if best else None,
        best_seed=model.seed if model is not None else 0,
        best_value=value,
        size_bytes=disk["total"],
        disk=dict(disk),
    )
