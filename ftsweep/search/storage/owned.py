"""One study's trials in memory, over the database that keeps them. Nobody else writes to a study: its lock says so."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import IntegrityError

from ftsweep.search.storage.database import Database, open_database, reaching_of
from ftsweep.search.storage.inserts import find_trial, insert_attribute, insert_trial, insert_value
from ftsweep.search.storage.reaching import Reaching
from ftsweep.search.storage.sqlite import close_storage

_Result = TypeVar("_Result")


class OwnedStorage(BaseStorage):
    """Writes to the database first and to memory then; reads trials from memory only, once they were read.

    Optuna's own cache reads every running trial again before each ask: 60 ms with 64 of them, when measured. New trials
    come with their setting (`create_new_trial` needs one). A write that may have arrived is not made twice: see the
    second call that each gives to `reaching`.

    Raises:
        StudyError: the database cannot be written. What trials measured is in their folders.
    """

    def __init__(self, place: Database, study: str) -> None:
        """See `ftsweep.search.storage.database.open_database`."""
        self.place = place
        self._database: RDBStorage = open_database(place, study)
        self.reaching: Reaching = reaching_of(place, self._database)
        self._trials: dict[int, dict[int, FrozenTrial]] = {}  # by study, then by number
        self._all: dict[int, FrozenTrial] = {}

    def close(self) -> None:
        close_storage(self._database)

    def _load(self, study_id: int) -> dict[int, FrozenTrial]:
        if study_id not in self._trials:
            trials = self.reaching.reach(lambda: self._database.get_all_trials(study_id, deepcopy=False))
            self._trials[study_id] = {trial.number: trial for trial in trials}
            self._all.update({trial._trial_id: trial for trial in trials})
        return self._trials[study_id]

    def _reach(self, do: Callable[..., _Result], *values: Any) -> _Result:
        """A call that may be made twice."""
        return self.reaching.reach(partial(do, *values))

    # -- trials -----------------------------------------------------------------------------------------------------

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """One transaction, so that no trial is ever there without its setting."""
        assert template_trial is not None
        trials, trial = self._load(study_id), copy.copy(template_trial)
        trial.number = len(trials)
        engine = self._database.engine

        def insert() -> int:
            return insert_trial(engine, study_id, trial.number, trial)

        def insert_unless_there() -> int:
            found = find_trial(engine, study_id, trial.number)
            return insert() if found is None else found

        trial._trial_id = self.reaching.reach(insert, insert_unless_there)
        trials[trial.number] = self._all[trial._trial_id] = trial
        return trial._trial_id

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        self._reach(self._database.set_trial_param, trial_id, param_name, param_value_internal, distribution)
        trial = self._all[trial_id]
        trial.params = {**trial.params, param_name: distribution.to_external_repr(param_value_internal)}
        trial.distributions = {**trial.distributions, param_name: distribution}

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        def change() -> bool:
            return self._database.set_trial_state_values(trial_id, state, values)

        def change_unless_ended() -> bool:
            try:
                return change()
            except UpdateFinishedTrialError:
                return True

        is_changed = self.reaching.reach(change, change_unless_ended)
        trial = self._all[trial_id]
        trial.state = state
        if values is not None:
            trial.values = list(values)
        if state.is_finished():
            trial.datetime_complete = datetime.now()
        return is_changed

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        assert step not in self._all[trial_id].intermediate_values
        self._insert(insert_value, trial_id, step, intermediate_value)
        self._all[trial_id].intermediate_values[step] = intermediate_value

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        if key in self._all[trial_id].user_attrs:
            self._reach(self._database.set_trial_user_attr, trial_id, key, value)
        else:
            self._insert(insert_attribute, trial_id, key, value)
        self._all[trial_id].user_attrs[key] = value

    def _insert(self, insert: Callable[..., None], *values: Any) -> None:
        """A row that is not there, or was put there by a call whose answer was lost."""
        do = partial(insert, self._database.engine, *values)

        def insert_unless_there() -> None:
            with suppress(IntegrityError):
                do()

        self.reaching.reach(do, insert_unless_there)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._reach(self._database.set_trial_system_attr, trial_id, key, value)
        self._all[trial_id].system_attrs[key] = value

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._all[trial_id]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = [trial for trial in self._load(study_id).values() if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return self._load(study_id)[trial_number]._trial_id

    # -- studies ----------------------------------------------------------------------------------------------------

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        def create() -> int:
            return self._database.create_new_study(directions, study_name)

        def create_unless_there() -> int:
            try:
                return create()
            except DuplicatedStudyError:
                assert study_name is not None
                return self._database.get_study_id_from_name(study_name)

        return self.reaching.reach(create, create_unless_there)

    def delete_study(self, study_id: int) -> None:
        def delete_if_there() -> None:
            with suppress(KeyError):
                self._database.delete_study(study_id)

        self.reaching.reach(partial(self._database.delete_study, study_id), delete_if_there)
        self._trials.pop(study_id, None)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._reach(self._database.set_study_user_attr, study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._reach(self._database.set_study_system_attr, study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        return self._reach(self._database.get_study_id_from_name, study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._reach(self._database.get_study_name_from_id, study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._reach(self._database.get_study_directions, study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._reach(self._database.get_study_user_attrs, study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._reach(self._database.get_study_system_attrs, study_id)

    def get_all_studies(self) -> list[FrozenStudy]:
        return self._database.get_all_studies()
