"""What a sampler sees of a study: the trials of one branch, and honest stand-ins where a sampler knows only values."""

from __future__ import annotations

import copy
import math
from collections.abc import Container, Sequence

import optuna
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

BRANCH = "branch"
"""The name of the parameter that says which branch a trial belongs to, where there are several."""

INFEASIBLE = "infeasible"
"""The constraint that a setting violates when it did not fit in memory or diverged."""


class StudyView(optuna.Study):
    """The study as one ask sees it.

    branch: only this branch's trials; None: all.
    needs_values: turn ended trials without a final value into complete ones. Pruned and stopped trials get the
        best value they reached, infeasible and diverged ones the worst value of all others, so that the sampler
        keeps away from there; ones that reached nothing are left out.
    """

    def __init__(
        self, study: optuna.Study, sampler: BaseSampler, *, branch: str | None, needs_values: bool = False
    ) -> None:
        super().__init__(
            study_name=study.study_name, storage=study._storage, sampler=sampler, pruner=optuna.pruners.NopPruner()
        )
        self._branch = branch
        self._needs_values = needs_values
        self._trials: list[FrozenTrial] | None = None

    def forget(self) -> None:
        """Read the trials anew: another ask begins."""
        self._trials = None

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        if self._trials is None:
            trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
            if self._branch is not None:
                trials = [trial for trial in trials if trial.params.get(BRANCH) == self._branch]
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
