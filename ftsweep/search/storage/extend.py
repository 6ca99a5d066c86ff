"""A study's trials taken over into a new Optuna study with another space, under the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import Proposal
from ftsweep.search.encoding import BranchEncoding
from ftsweep.search.storage.identity import IDENTITY, describe
from ftsweep.search.storage.sqlite import close_storage, open_storage
from ftsweep.search.study_view import BRANCH

ORIGIN = "origin"
"""The attribute of a stored trial that says where its setting came from."""

SET_ASIDE = "set aside"
"""The origin of a stored trial that only keeps its number from being given again."""

_CARRIED = ("outcome", "violating", "pause")
_CONSTRAINTS = "constraints"  # how Optuna's system attributes for constraints begin


def optuna_name(study: str, generation: int) -> str:
    """What a study is called in Optuna's database, by how often its space has changed. No study's name has an `@`."""
    return study if generation == 1 else f"{study}@{generation}"


def take_over(
    path: Path,
    former: str,
    successor: str,
    objective: Objective,
    branches: Sequence[Branch],
    num_rungs: int,
    kept: Mapping[int, Proposal],
    again: frozenset[int],
) -> None:
    """Make the Optuna study `successor` with the trials of `former`, anew if it is there already.

    `kept`: the trials that lie in the new space, as proposals of it; all others only keep their numbers. Those in
    `again` are to be run once more. The former study stays as it is.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(path)
    try:
        drop(path, [successor])
        trials = optuna.load_study(study_name=former, storage=storage).get_trials(deepcopy=False)
        study = optuna.create_study(study_name=successor, storage=storage, direction=objective.direction)
        encodings = {branch.name: BranchEncoding(branch) for branch in branches}
        for trial in trials:
            proposal = kept.get(trial.number)
            if proposal is None:
                study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={ORIGIN: SET_ASIDE}))
            else:
                study.add_trial(_inherited(trial, proposal, encodings, is_again=trial.number in again))
        study.set_user_attr(IDENTITY, describe(objective, branches, num_rungs))
    finally:
        close_storage(storage)


def drop(path: Path, names: Sequence[str]) -> None:
    """Remove studies of these names where they are there."""
    storage = open_storage(path)
    try:
        known = {each.study_name for each in optuna.get_all_study_summaries(storage, include_best_trial=False)}
        for name in known.intersection(names):
            optuna.delete_study(study_name=name, storage=storage)
    finally:
        close_storage(storage)


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
