"""What a sampler sees of a study: trials of one branch, and honest stand-ins where a sampler knows only values."""

from __future__ import annotations

import copy
import math
from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ftsweep.search.trial_window import SeenTrials

BRANCH = "branch"
"""The name of the parameter that says which branch a trial belongs to, where there are several."""

INFEASIBLE = "infeasible"
"""The constraint that a setting violates when it did not fit in memory or diverged."""


class Draft:
    """A storage that holds back what a sampler writes down about the trial that it proposes: there is none yet."""

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage
        self.of_trial: dict[str, Any] = {}
        self.of_study: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.of_trial[key] = value

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self.of_study[key] = value

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._storage.get_study_system_attrs(study_id) | self.of_study

    def forget(self) -> None:
        """Another proposal begins."""
        self.of_trial, self.of_study = {}, {}


class StudyView(optuna.Study):
    """The study as one ask sees it.

    seen: trials of one branch, or of all.
    needs_values: turn ended trials without a final value into complete ones. Pruned and stopped trials get the
        best value they reached, infeasible and diverged ones the worst value of all others, so that the sampler
        keeps away from there; ones that reached nothing are left out.
    """

    def __init__(
        self, study: optuna.Study, draft: Draft, sampler: BaseSampler, seen: SeenTrials, *, needs_values: bool = False
    ) -> None:
        super().__init__(
            study_name=study.study_name,
            storage=draft,  # type: ignore[arg-type]  # it stands in for one
            sampler=sampler,
            pruner=optuna.pruners.NopPruner(),
        )
        self._seen = seen
        self._needs_values = needs_values
        self._trials: list[FrozenTrial] | None = None

    def forget(self) -> None:
        """Look at the trials anew: another ask begins."""
        self._trials = None

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        if self._trials is None:
            trials = self._seen.trials()
            self._trials = with_values(trials, self.direction) if self._needs_values else trials
        return [trial for trial in self._trials if states is None or trial.state in states]


def with_values(trials: Sequence[FrozenTrial], direction: StudyDirection) -> list[FrozenTrial]:
    """Trials in which every ended one is complete and has a value; the given ones are not touched."""
    best, worst = (min, max) if direction == StudyDirection.MINIMIZE else (max, min)
    reached: dict[int, float] = {}
    for trial in trials:
        if INFEASIBLE in trial.constraints:
            continue
        values = [value for value in trial.intermediate_values.values() if math.isfinite(value)]
        if trial.state == TrialState.COMPLETE and trial.value is not None:
            reached[trial.number] = trial.value
        elif trial.state == TrialState.PRUNED and values:
            reached[trial.number] = best(values)
    seen = []
    for trial in trials:
        if trial.state == TrialState.RUNNING:
            seen.append(trial)
        elif trial.number in reached or (INFEASIBLE in trial.constraints and reached):
            stand_in = copy.copy(trial)
            stand_in.state = TrialState.COMPLETE
            stand_in.value = reached.get(trial.number, worst(reached.values()))
            seen.append(stand_in)
    return seen
