"""What of a study's terms lies in Optuna's database, so that nobody goes on with its trials under others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.domain.terms import BranchTerms, StudyTerms, changes
from ftsweep.errors import ConfigError

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
