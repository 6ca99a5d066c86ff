"""Results of stages in the store's cache: whole model folders by content hash, made by one worker, used by many."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from ftsweep.store.atomic import folder_size, read_json, remove_folder, settle_folder, write_json, written_folder
from ftsweep.store.folders import TrialFolder
from ftsweep.store.locks import try_lock

FORMAT = 1
"""Counts up when a result's layout or meaning changes."""

DISK_SHARE = 0.25
"""Of the disk space that is free or taken by results: all results together. The ones not used for longest go first."""

FACTS = "stage.json"

_LOGGER = logging.getLogger(__name__)


class StageLock:
    """One process makes a result while all others wait; many use it at once. The system releases a dead process's."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIOWrapper = path.open("w", encoding="utf-8")

    def try_shared(self) -> bool:
        return try_lock(self._file, is_shared=True)

    def try_alone(self) -> bool:
        return try_lock(self._file)

    def release(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class StageResult:
    """The place of one result, whether it is there or not."""

    folder: Path

    @classmethod
    def of(cls, cache: Path, facts: Mapping[str, Any]) -> StageResult:
        """The result of what these facts (JSON) describe whole: base, data, task, strategy, training, seeds."""
        text = json.dumps({"format": FORMAT, **facts}, sort_keys=True, default=str)
        return cls(cache / "stages" / hashlib.sha256(text.encode()).hexdigest()[:32])

    @property
    def run_folder(self) -> TrialFolder:
        """Where the run that makes it keeps measurements and checkpoint."""
        return TrialFolder(self.folder.with_name(f"{self.folder.name}.run"))

    def lock(self) -> StageLock:
        return StageLock(self.folder.with_name(f".{self.folder.name}.lock"))

    def read(self) -> dict[str, Any] | None:
        """What the stage measured; None when the result is not there whole. Reading counts as use."""
        settle_folder(self.folder)
        try:
            facts: dict[str, Any] = read_json(self.folder / FACTS)
            if any((self.folder / name).stat().st_size != size for name, size in facts["files"].items()):
                return None
            os.utime(self.folder / FACTS)
        except (OSError, ValueError, KeyError):
            return None
        return facts

    @contextmanager
    def written(self, facts: Mapping[str, Any]) -> Iterator[Path]:
        """Give a folder to write the model to; the result is there when the block ends, and older ones make room."""
        with written_folder(self.folder) as temporary:
            yield temporary
            sizes = {file.name: file.stat().st_size for file in sorted(temporary.iterdir())}
            write_json(temporary / FACTS, {**facts, "files": sizes})
        self._make_room()

    def _make_room(self) -> None:
        folders = [path for path in self.folder.parent.iterdir() if path.is_dir() and not path.name.startswith(".")]
        sizes = {path: folder_size(path) for path in folders}  # with those of runs that nobody goes on with
        taken = sum(sizes.values())
        limit = DISK_SHARE * (shutil.disk_usage(self.folder).free + taken)
        for path in sorted(folders, key=_last_use):
            if taken <= limit:
                return
            owner = StageResult(path.with_name(path.name.removesuffix(".run")))
            lock = owner.lock()
            if owner != self and lock.try_alone():
                _LOGGER.info("stages: %s was not used for longest and makes room", path)
                remove_folder(path)
                taken -= sizes[path]
            lock.release()


def _last_use(folder: Path) -> float:
    for file in (folder / FACTS, folder):
        with suppress(OSError):  # a run's folder, or one that another worker has removed
            return file.stat().st_mtime
    return 0.0
