"""Whose an experiment or a registered model is: several stores may have studies of one name on one MLflow server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from ftsweep.errors import StudyError

OWNER = "ftsweep.store"
"""The tag that names the store whose study it is; see `ftsweep.store.identity`."""

_Item = TypeVar("_Item")


def names_for(study: str, owner: str) -> Iterator[str]:
    """What a study may be called on a server: its name, or with its store's behind it where another store has that."""
    yield study
    yield f"{study}-{owner}"


def owned(
    study: str,
    owner: str,
    find: Callable[[str], Sequence[_Item]],
    tags_of: Callable[[_Item], Mapping[str, str]],
    is_ours: Callable[[_Item], bool],
) -> tuple[str, list[_Item]]:
    """The name that the study has or may take, and what has it already; one without an owner is asked about itself.

    `find` gives what has a name: one or none.

    Raises:
        StudyError: somebody else has all of its names.
    """
    free = None
    for name in names_for(study, owner):
        items = find(name)
        if not items:
            free = free or name
            continue
        item = items[0]
        if tags_of(item).get(OWNER) == owner or (OWNER not in tags_of(item) and is_ours(item)):
            return name, [item]
    if free is None:
        raise StudyError(
            f"MLflow has {' and '.join(names_for(study, owner))} already, and neither is of this store",
            remedy="Give the study another name with study.name=...",
        )
    return free, []
