"""What several verbs share: options, arguments, the store and a study by name, JSON on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftsweep.cli.output import takes_everything
from ftsweep.domain.commands import DEFAULT_STORE
from ftsweep.errors import UsageError, suggest

if TYPE_CHECKING:
    from ftsweep.store.folders import Store, StudyFolder

STORE_OPTION = click.option(
    "--store", default=DEFAULT_STORE, show_default=True, help="The store (store.path): a folder, or s3://bucket/prefix."
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


def open_store(path: str, *, study: str | None = None, whole: bool = False) -> Store:
    """The store. From an address all its studies are brought here first, or one; with `whole` their weights, too.

    Raises:
        UsageError: a file is in its place, or the address is wrong or cannot be reached.
    """
    from ftsweep.store.address.place import store_named
    from ftsweep.store.address.visiting import fetch_studies

    place = store_named(path)
    if place.root.exists() and not place.root.is_dir():
        raise UsageError("this is a file, and a store is a folder", where=str(path), remedy="Name one with --store.")
    fetch_studies(place, _tell, study=study, whole=whole)
    return place


def find_study(store: str, name: str, *, whole: bool = False) -> StudyFolder:
    """A study of the store; `whole`: with its weights, where it lies at an address.

    Raises:
        UsageError: there is none of that name; the message has the near ones.
    """
    from ftsweep.domain.addresses import is_address
    from ftsweep.domain.names import is_name

    place = open_store(store, study=name if is_name(name) else None, whole=whole)
    if is_name(name) and place.study(name).sweep_file.exists():
        return place.study(name)
    known = [study.name for study in open_store(store).studies()]
    if not known and not is_address(store) and not place.root.is_dir():
        raise UsageError(
            "there is no store here", where=str(place.root), remedy="Name the study's with --store FOLDER."
        )
    near = suggest(Path(name).name, known)  # a study's folder, or its sweep file
    raise UsageError(f"there is no study {name!r} in {store}", where="STUDY", remedy=near)


@contextmanager
def changing(folder: StudyFolder) -> Iterator[None]:
    """Around what changes a study: at an address it is owned meanwhile, and sent afterwards."""
    from ftsweep.store.address.visiting import changed

    with changed(folder, _tell):
        yield


def _tell(text: str) -> None:
    click.echo(text, err=True)


def print_json(value: Mapping[str, Any] | Iterable[Any]) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=not takes_everything(sys.stdout), default=str))
