"""A study's files as they were at one moment, while processes go on writing them.

All files are looked at twice, and what is new is linked aside in between. Where both looks agree there was a moment,
the one between them, at which all was as it was linked; where they do not, it is tried again. Any such moment is one
at which a kill might have come, and a study goes on from what a kill leaves.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from ftsweep.store.atomic import remove
from ftsweep.store.folders import StudyFolder

DATABASE = "optuna.db"
_OWN = frozenset({"lock", "address.json", f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal"})
"""Files of this machine alone."""

_ATTEMPTS = 200
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Look:
    """What tells whether a file has changed."""

    inode: int
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Captured:
    """A file as it was: the first `size` bytes of `path`, which is a link of our own."""

    path: Path
    look: Look


class UnquietError(Exception):
    """The folder changed whenever it was looked at."""


def look_at(folder: Path, left_out: frozenset[str] = frozenset()) -> dict[str, Look]:
    """All files of a study by their paths in its folder, without half-written ones and those of this machine alone."""
    found = {}
    for path, entry in _entries(folder, ""):
        if path in _OWN or path in left_out or entry.name.endswith(".tmp") or entry.name == DATABASE:
            continue
        with suppress(FileNotFoundError):
            status = entry.stat(follow_symlinks=False)
            found[path] = Look(status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def _entries(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(folder / prefix) as entries:
            found = list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.endswith(".tmp"):
                yield from _entries(folder, f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield f"{prefix}{entry.name}", entry


def capture(
    folder: Path, known: Mapping[str, Look], aside: Path, left_out: frozenset[str] = frozenset()
) -> tuple[dict[str, Look], dict[str, Captured]]:
    """All files of one moment, and of them those that differ from `known`, linked into the folder `aside`.

    Raises:
        UnquietError: something changed at every attempt.
    """
    for attempt in range(_ATTEMPTS):
        remove(aside)
        aside.mkdir(parents=True)
        first = look_at(folder, left_out)
        new = {path: look for path, look in first.items() if known.get(path) != look}
        try:
            links = {path: _link(folder / path, aside / str(place)) for place, path in enumerate(new)}
        except FileNotFoundError:
            continue
        if _settled(first) == _settled(look_at(folder, left_out)):
            return first, {path: Captured(links[path], look) for path, look in new.items()}
        time.sleep(_PAUSE_SECONDS * min(attempt, 10))
    raise UnquietError("the study's folder did not stand still")


def _settled(looks: Mapping[str, Look]) -> dict[str, Look]:
    """Without logs: lines come to them at any time, and nothing goes by them."""
    return {path: look for path, look in looks.items() if not path.endswith(".log")}


def _link(source: Path, target: Path) -> Path:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # a disk without links
        shutil.copyfile(source, target)
    return target


def copy_database(folder: StudyFolder, target: Path) -> Path | None:
    """A copy of the study's database in SQLite, whole in itself; None where there is none."""
    source = folder.path / DATABASE
    if not source.exists():
        return None
    remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(source, timeout=30)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
        other.execute("PRAGMA journal_mode=DELETE")
    return target
