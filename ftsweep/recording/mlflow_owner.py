"""Whose an experiment or a registered model is: several stores may have studies of one name on one MLflow server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from ftsweep.errors import StudyError

OWNER = "ftsweep.store"
"""The tag that names the store whose study it is; see `ftsweep.store.identity`."""

STUDY = "ftsweep.study"
"""The tag that names the study in that store."""


class _HasTags(Protocol):
    @property
    def tags(self) -> Any: ...


_Tagged = TypeVar("_Tagged", bound=_HasTags)


def names_for(wanted: str, owner: str) -> Iterator[str]:
    """What a study may be called: as it is wanted, or with its store's name behind it where another store has that."""
    yield wanted
    yield f"{wanted}-{owner}"


def owned(wanted: str, study: str, owner: str, find: Callable[[str], _Tagged | None]) -> tuple[str, _Tagged | None]:
    """The name that the study has or may take, and what has it already. `find` gives what has a name.

    Raises:
        StudyError: somebody else has all of its names, or another study of this store has the wanted one.
    """
    free = None
    for name in names_for(wanted, owner):
        found = find(name)
        if found is None:
            free = free or name
        elif found.tags.get(OWNER) == owner:
            check_study(name, study, found.tags)
            return name, found
    if free is None:
        raise StudyError(
            f"MLflow has {' and '.join(names_for(wanted, owner))} already, and neither is of this store",
            remedy="Give the study another name with study.name=..., recording.experiment=... or recording.model=...",
        )
    return free, None


def check_study(name: str, study: str, tags: Mapping[str, str]) -> None:
    """Refuse a name under which another study of the same store is recorded.

    Raises:
        StudyError: it is.
    """
    if tags.get(STUDY, study) != study:
        raise StudyError(
            f"MLflow has study {tags[STUDY]!r} of this store under the name {name!r}",
            remedy=f"Name another with recording.experiment=... or recording.model=... for study {study!r}.",
        )
