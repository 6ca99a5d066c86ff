"""What of a study's terms lies in Optuna's database, so that nobody goes on with its trials under others."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from ftsweep.domain.metric import Direction
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.domain.terms import BranchTerms, StudyTerms, changes
from ftsweep.errors import ConfigError
from ftsweep.search.storage.owned import OwnedStorage

IDENTITY = "terms"
"""The attribute of an Optuna study that holds what `describe` says."""


def describe(objective: Objective, branches: Sequence[Branch], num_rungs: int) -> dict[str, Any]:
    """The terms that the search depends on: objective, space and rungs, as plain JSON."""
    spaces = {branch.label: BranchTerms(space=branch.space.dimensions) for branch in branches}
    return StudyTerms(objective, num_rungs, {}, spaces).to_dict()


def check_identity(stored: Mapping[str, Any] | None, now: Mapping[str, Any], name: str) -> None:
    """Refuse to go on with trials that were made under other terms.

    Raises:
        ConfigError: names each difference.
    """
    if stored is None:
        found = ["it does not tell which; another version of ftsweep wrote it"]
    else:
        found = [change.text for change in changes(StudyTerms.from_dict(stored), StudyTerms.from_dict(now))]
    if found:
        raise ConfigError(
            f"Optuna's database has trials of study {name!r} that were made on other terms: {'; '.join(found)}",
            where="study.name",
            remedy="Set these back to go on with it, or begin another study with study.name=...",
        )


def load_or_make(storage: OwnedStorage, name: str, direction: Direction, identity: Mapping[str, Any]) -> optuna.Study:
    """The study of this name. One that has no trials yet may be begun anew on other terms."""
    study = optuna.create_study(study_name=name, storage=storage, direction=direction, load_if_exists=True)
    stored = study.user_attrs.get(IDENTITY)
    if study.get_trials(deepcopy=False):
        check_identity(stored, identity, name)
        return study
    if stored not in (None, identity) or study.direction.name.lower() != direction:
        optuna.delete_study(study_name=name, storage=storage)
        study = optuna.create_study(study_name=name, storage=storage, direction=direction)
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        study.set_metric_names([Objective(**identity["objective"]).key])  # for Optuna's own pages
    return study
