"""Brings a study's folder on this machine to the state that lies at its address, unless it is there or ahead.

`address.json` in the folder says which index it holds. Where the address has the same one, the folder is at that state
or ahead of it (a kill came before the rest was sent) and stays as it is; where it has another, another machine has gone
on, and the folder becomes what lies there.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ftsweep.errors import DamagedFileError, StudyError
from ftsweep.store.address.capture import DATABASE, look_at
from ftsweep.store.address.index import Content, Index, newest_index, study_prefix
from ftsweep.store.address.objects import MissingObjectError, Objects
from ftsweep.store.atomic import read_json, remove, write_json
from ftsweep.store.folders import StudyFolder
from ftsweep.store.locks import locked

_AT_ONCE = 8
_ATTEMPTS = 5
_WEIGHTS = frozenset({"checkpoint", "best", "model"})
"""Folders that reading commands do without."""

_KEPT = frozenset({"recording.json"})
"""Of this machine; an index that names it replaces it all the same."""


@dataclass(frozen=True)
class Filled:
    """The index that the folder holds now (None: there is none at the address), and what was brought for it."""

    index: Index | None
    num_brought: int = 0
    bytes_brought: int = 0


def fill(folder: StudyFolder, objects: Objects, *, whole: bool) -> Filled:
    """Bring what is missing; without `whole` no weights. Who runs the study here has all and is ahead: nothing is done.

    The caller who owns the study's lock passes through `fill_owned`.
    """
    with locked(_lock(folder)):
        return Filled(None) if folder.is_running else _fill(folder, objects, whole=whole)


def fill_owned(folder: StudyFolder, objects: Objects) -> Filled:
    """For the process that holds the study's lock: all of it."""
    with locked(_lock(folder)):
        return _fill(folder, objects, whole=True)


def note_sending(folder: StudyFolder, identity: str, *, has_arrived: bool = False) -> None:
    """Write down which index is being sent, or has arrived: a kill between the two leaves either at the address."""
    known = _held(folder)
    indexes = [identity] if has_arrived else [*known.indexes[-1:], identity]
    write_json(_note(folder), {"indexes": indexes, "is_whole": True})


@dataclass(frozen=True)
class _Held:
    indexes: tuple[str, ...] = ()
    is_whole: bool = False


def _held(folder: StudyFolder) -> _Held:
    try:
        data = read_json(_note(folder))
        return _Held(tuple(map(str, data["indexes"])), bool(data["is_whole"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _Held()


def _fill(folder: StudyFolder, objects: Objects, *, whole: bool) -> Filled:
    for _ in range(_ATTEMPTS):
        index = newest_index(objects, folder.name)
        if index is None:
            return Filled(None)
        held = _held(folder)
        is_held = index.identity in held.indexes
        if is_held and (held.is_whole or not whole):
            return Filled(index)
        try:
            return _bring(folder, objects, index, whole=whole)
        except MissingObjectError:  # its owner has gone on meanwhile
            continue
    raise StudyError(
        f"study {folder.name!r} changes at its address faster than it can be read, or a part of it is gone",
        where=objects.address,
        remedy="Try again; if that does not help, `ftsweep run` on the machine that ran it last sends what is missing.",
    )


def _bring(folder: StudyFolder, objects: Objects, index: Index, *, whole: bool) -> Filled:
    folder.path.mkdir(parents=True, exist_ok=True)
    remove(_note(folder))  # from here on the folder is neither one state nor the other
    wanted = {path: each for path, each in index.files.items() if whole or not _is_weight(path)}
    missing = {path: each for path, each in wanted.items() if not _is_same(folder.path / path, each)}
    if DATABASE in missing:
        for ending in ("-wal", "-shm", "-journal"):
            remove(folder.path / f"{DATABASE}{ending}")
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ftsweep-fill") as pool:
        for _ in pool.map(lambda item: _fetch(folder, objects, *item), missing.items()):
            pass
    _remove_others(folder.path, index.files)
    write_json(_note(folder), {"indexes": [index.identity], "is_whole": whole})
    return Filled(index, len(missing), sum(each.size for each in missing.values()))


def _fetch(folder: StudyFolder, objects: Objects, path: str, content: Content) -> None:
    target = folder.path / path
    target.parent.mkdir(parents=True, exist_ok=True)
    torn = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        objects.fetch(f"{study_prefix(folder.name)}objects/{content.object}", torn)
        if _hash(torn) != content.object:
            raise DamagedFileError(f"{objects.address}: {path}", "its content is not what its name says")
        os.utime(torn, (content.modified, content.modified))
        os.replace(torn, target)
    finally:
        torn.unlink(missing_ok=True)


def _remove_others(folder: Path, files: Mapping[str, Content]) -> None:
    for path in look_at(folder, _KEPT).keys() - files.keys():
        remove(folder / path)
    if DATABASE not in files:
        for ending in ("", "-wal", "-shm", "-journal"):
            remove(folder / f"{DATABASE}{ending}")
    for path, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # it has something in it
            Path(path).rmdir()


def _is_weight(path: str) -> bool:
    """Or else large, and made anew from the rest."""
    return path == "report.html" or not _WEIGHTS.isdisjoint(PurePosixPath(path).parts[:-1])


def _is_same(path: Path, content: Content) -> bool:
    return path.is_file() and path.stat().st_size == content.size and _hash(path) == content.object


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _note(folder: StudyFolder) -> Path:
    return folder.path / "address.json"


def _lock(folder: StudyFolder) -> Path:
    return folder.store.root / "filling" / folder.name
