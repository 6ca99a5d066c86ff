"""What a node sends, put into the control machine's folders: durably, and in the order that recovery relies on.

Everything is checked as what comes from elsewhere is: names stay below the folder that the job was given.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ftsweep.cluster.growing_log import NAME as LOG_NAME
from ftsweep.cluster.in_place import handed_name
from ftsweep.store.atomic import remove, written_file, written_folder

_HASH = re.compile(r"[0-9a-f]{16,64}")
WHOLE = ("checkpoint", "best")
"""Folders that are replaced as a whole: a mixture of two is none."""
_LAST = ("measurements.jsonl", *WHOLE, "outcome.json")
"""In this order, after all others: a checkpoint never before the line of its rung."""
_STAGING = ".incoming.tmp"  # which a copy of the study leaves out


class Incoming:
    """Of one attempt at one job, whose folders these are. `handover`: its own on a disk that its node may share."""

    def __init__(self, folders: list[str], cache: str, attempt: str, handover: Path | None = None) -> None:
        self._folders, self._cache = set(folders), cache
        self._attempt, self._handover = attempt, handover
        if handover is not None:
            handover.mkdir()
        for folder in folders:
            for left in Path(folder).glob(f".*{_STAGING}"):  # of an attempt that is over, whose bridge was killed
                remove(left)

    def takes(self, folder: str) -> bool:
        """Whether it is one of the job's."""
        place = Path(folder)
        is_prepared = self._cache and place.parent == Path(self._cache) / "prepared" and _HASH.fullmatch(place.name)
        return folder in self._folders or bool(is_prepared)

    def take_part(self, item: Mapping[str, Any]) -> None:
        """Write a part of a file where nobody looks yet."""
        file = self._staged(item["folder"], item["name"])
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("r+b" if file.exists() and item["offset"] else "wb") as opened:
            opened.seek(item["offset"])
            opened.write(item["data"])

    def take_handed(self, item: Mapping[str, Any]) -> None:
        """Take over a file that the node has put on the shared disk: by its new name, and nothing is copied."""
        if self._handover is None:
            raise ValueError("a node hands a file over where no disk is shared")
        folder, name = self._checked(item["folder"]), _safe(item["name"])
        handed = self._handover / handed_name(folder, name)
        status, is_inside = handed.lstat(), handed.resolve().is_relative_to(self._handover.resolve())
        if not is_inside or not stat.S_ISREG(status.st_mode) or status.st_size != item["size"]:
            raise ValueError(f"a node hands over {name!r}, which is not what it says")
        staged = self._staged(folder, name)
        staged.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(handed, staged)

    def close(self) -> None:
        """The attempt is over: what it would still hand over is no longer wanted."""
        if self._handover is not None:
            shutil.rmtree(self._handover, ignore_errors=True)

    def take_log(self, item: Mapping[str, Any]) -> None:
        """Add a piece to a trial's log; the next `take_folder` with the log puts the whole file in its place."""
        folder = Path(self._checked(item["folder"]))
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG_NAME).open("ab") as file:
            file.write(item["data"])

    def take_folder(self, item: Mapping[str, Any]) -> None:
        """All parts have come: put them in place, and remove what the job removed."""
        folder = Path(self._checked(item["folder"]))
        if item["folder"] not in self._folders:
            self._put_prepared(item)
            return
        names = {name: _group(_safe(name)) for name in item["changed"]}
        for name in [name for name in names if not names[name]]:
            self._put(item["folder"], name)
        for group in _LAST:
            inside = [name for name in names if names[name] == group]
            if group in WHOLE:
                whole = [name for name in item["whole"] if _group(_safe(name)) == group]
                self._put_whole(item["folder"], group, inside, whole)
            else:
                for name in inside:
                    self._put(item["folder"], name)
        for name in item["removed"]:
            if not _group(_safe(name)) or _group(name) not in WHOLE:
                remove(folder / name)
        remove(self._staging(item["folder"]))

    def _put(self, folder: str, name: str) -> None:
        with written_file(Path(folder) / name) as temporary:
            os.replace(self._staged(folder, name), temporary)

    def _put_whole(self, folder: str, group: str, changed: list[str], whole: list[str]) -> None:
        """A folder as the node has it now: what has not changed is linked from what is here."""
        target = Path(folder) / group
        if not whole:
            remove(target)
        elif changed:
            with written_folder(target) as temporary:
                for name in whole:
                    place = temporary / PurePosixPath(name).relative_to(group)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    if name in changed:
                        os.replace(self._staged(folder, name), place)
                    else:
                        shutil.copy2(Path(folder) / name, place)

    def _staged(self, folder: str, name: str) -> Path:
        return self._staging(self._checked(folder)) / _safe(name)

    def _staging(self, folder: str) -> Path:
        """Where parts of its files wait: in a run's own folder, where nobody else looks, or beside a prepared set."""
        place = Path(folder)
        if folder in self._folders:
            return place / f".{self._attempt}{_STAGING}"
        return place.with_name(f".{place.name}.{self._attempt}.{os.getpid()}.tmp")

    def _put_prepared(self, item: Mapping[str, Any]) -> None:
        staging = self._staging(item["folder"])
        with written_folder(Path(item["folder"])) as temporary:
            for name in item["changed"]:
                os.replace(staging / _safe(name), temporary / name)
        remove(staging)

    def _checked(self, folder: str) -> str:
        if not self.takes(folder):
            raise ValueError(f"a node writes to {folder!r}, which is no folder of its job")
        return folder


def _safe(name: str) -> str:
    """The name of a file below a folder.

    Raises:
        ValueError: it leads out of it, or is none of a job's own.
    """
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or any(part in ("..", ".") or part.startswith(".") for part in parts)
        or "\0" in name
    ):
        raise ValueError(f"a node writes a file called {name!r}")
    return name


def _group(name: str) -> str:
    first = PurePosixPath(name).parts[0]
    return first if first in _LAST else ""
