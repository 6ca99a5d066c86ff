"""A study's trials taken over into a new Optuna study with another space, under the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import Proposal
from ftsweep.search.encoding import BranchEncoding
from ftsweep.search.storage.database import Database, open_database, optuna_name, reaching_of
from ftsweep.search.storage.identity import IDENTITY, describe
from ftsweep.search.storage.sqlite import close_storage
from ftsweep.search.study_view import BRANCH

ORIGIN = "origin"
"""The attribute of a stored trial that says where its setting came from."""

SET_ASIDE = "set aside"
"""The origin of a stored trial that only keeps its number from being given again."""

_CARRIED = ("outcome", "violating", "pause")
_CONSTRAINTS = "constraints"  # how Optuna's system attributes for constraints begin


def take_over(
    database: Database,
    name: str,
    generation: int,
    objective: Objective,
    branches: Sequence[Branch],
    num_rungs: int,
    kept: Mapping[int, Proposal],
    again: frozenset[int],
) -> None:
    """Make the Optuna study of the next generation with the trials of this one, anew if it is there already.

    `kept`: the trials that lie in the new space, as proposals of it; all others only keep their numbers. Those in
    `again` are to be run once more. The former study stays as it is.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    former, successor = (optuna_name(database, name, each) for each in (generation, generation + 1))
    storage = open_database(database, name)
    encodings = {branch.name: BranchEncoding(branch) for branch in branches}

    def make() -> None:
        _drop(storage, [successor])
        trials = optuna.load_study(study_name=former, storage=storage).get_trials(deepcopy=False)
        study = optuna.create_study(study_name=successor, storage=storage, direction=objective.direction)
        for trial in trials:
            proposal = kept.get(trial.number)
            if proposal is None:
                study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={ORIGIN: SET_ASIDE}))
            else:
                study.add_trial(_inherited(trial, proposal, encodings, is_again=trial.number in again))
        study.set_user_attr(IDENTITY, describe(objective, branches, num_rungs))

    try:
        reaching_of(database, storage).reach(make)
    finally:
        close_storage(storage)


def drop(database: Database, name: str, generations: Sequence[int]) -> None:
    """Remove the study of these generations where it is there."""
    storage = open_database(database, name)
    try:
        names = [optuna_name(database, name, each) for each in generations]
        reaching_of(database, storage).reach(lambda: _drop(storage, names))
    finally:
        close_storage(storage)


def _drop(storage: RDBStorage, names: Sequence[str]) -> None:
    for name in names:
        with suppress(KeyError):
            storage.delete_study(storage.get_study_id_from_name(name))


def _inherited(
    trial: FrozenTrial, proposal: Proposal, encodings: Mapping[str, BranchEncoding], *, is_again: bool
) -> FrozenTrial:
    encoding = encodings[proposal.branch]
    params: dict[str, Any] = encoding.encode(proposal.params)
    distributions = {name: one.distribution for name, one in encoding.by_name.items()}
    if len(encodings) > 1:
        params = {BRANCH: proposal.branch, **params}
        distributions = {BRANCH: CategoricalDistribution(tuple(encodings)), **distributions}
    is_enqueued = trial.user_attrs[ORIGIN] == "enqueued"
    attributes = {ORIGIN: "default" if proposal.is_default else "enqueued" if is_enqueued else "proposed"}
    if is_again:
        return create_trial(state=TrialState.RUNNING, params=params, distributions=distributions, user_attrs=attributes)
    return create_trial(
        state=trial.state,
        value=trial.value if trial.state is TrialState.COMPLETE else None,
        params=params,
        distributions=distributions,
        user_attrs=attributes | {key: trial.user_attrs[key] for key in _CARRIED if key in trial.user_attrs},
        system_attrs={key: value for key, value in trial.system_attrs.items() if key.startswith(_CONSTRAINTS)},
        intermediate_values=dict(trial.intermediate_values),
    )
