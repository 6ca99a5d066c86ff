"""What several verbs share: options, arguments, the store and a study by name, JSON on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftsweep.cli.output import takes_everything
from ftsweep.domain.commands import DEFAULT_STORE
from ftsweep.errors import UsageError, suggest

if TYPE_CHECKING:
    from ftsweep.store.folders import Store, StudyFolder

STORE_OPTION = click.option(
    "--store", default=DEFAULT_STORE, show_default=True, help="The store's folder (store.path)."
)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
SWEEP_ARGUMENTS = (
    click.argument("sweep", metavar="SWEEP"),
    click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]..."),
)


def with_sweep(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of every verb that composes a sweep."""
    for argument in reversed(SWEEP_ARGUMENTS):
        command = argument(command)
    return command


def open_store(path: str) -> Store:
    from ftsweep.store.folders import Store

    return Store(Path(path).absolute())


def find_study(store: str, name: str) -> StudyFolder:
    """A study of the store.

    Raises:
        UsageError: there is none of that name; the message has the near ones.
    """
    place = open_store(store)
    folder = place.study(name)
    if not folder.sweep_file.exists():
        known = [study.name for study in place.studies()]
        raise UsageError(f"there is no study {name!r} in {store}", where="STUDY", remedy=suggest(name, known))
    return folder


def print_json(value: Mapping[str, Any] | Iterable[Any]) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=not takes_everything(sys.stdout), default=str))
