"""What takes how much of the disk: a study, the cache by kind, the whole store. Reads names and sizes only."""

from __future__ import annotations

import os
import shutil
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftsweep.store.atomic import folder_size, remove_folder
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.locks import try_lock

GIB = 2**30

_PARTS = {"best": "weights", "model": "weights", "checkpoint": "checkpoints"}
"""Folders of a study whose sizes are told apart, by name."""


def study_use(folder: StudyFolder) -> dict[str, int]:
    """Bytes of a study's folder: `total`, and of it `weights`, `checkpoints` and `other`."""
    found = Counter({"total": 0, "weights": 0, "checkpoints": 0, "other": 0})
    for path, size in _files(folder.path):
        parts = path.relative_to(folder.path).parts[:-1]
        # half-written and former folders (.best.17.tmp, .checkpoint.old) count as what they are of
        names = (part.removeprefix(".").partition(".")[0] for part in parts)
        found[next((_PARTS[name] for name in names if name in _PARTS), "other")] += size
        found["total"] += size
    return dict(found)


def store_use(store: Store) -> dict[str, Any]:
    """Bytes of the store: `studies`, `artifacts`, `databases`, `cache` (by kind) and `free`, what the disk has left."""
    databases = [path.stat().st_size for name in ("mlflow.db*", "optuna.db*") for path in store.root.glob(name)]
    kinds = sorted(path for path in store.cache.iterdir() if path.is_dir()) if store.cache.is_dir() else []
    return {
        "studies": folder_size(store.root / "studies"),
        "artifacts": folder_size(store.artifacts),
        "databases": sum(databases),
        "cache": {kind.name: folder_size(kind) for kind in kinds},
        "free": shutil.disk_usage(store.root).free if store.root.is_dir() else None,
    }


@dataclass(frozen=True)
class CacheEntry:
    """One thing that the cache keeps: prepared data, features, what a stage left."""

    path: Path
    size_bytes: int
    last_use: float
    """Seconds since 1970."""

    @property
    def kind(self) -> str:
        return self.path.parent.name


def cache_entries(store: Store) -> list[CacheEntry]:
    """Everything in the cache, what was not used for longest first."""
    paths = [path for path in store.cache.glob("*/*") if not path.name.startswith(".")]
    entries = [CacheEntry(path, _size(path), _last_use(path)) for path in paths]
    return sorted(entries, key=lambda entry: (entry.last_use, entry.path))


def removable_entries(
    store: Store, limit_bytes: float, *, besides: StudyFolder | None = None
) -> tuple[list[CacheEntry], int]:
    """What must go for the cache to fit into the limit, and how many entries are needed by a running study and stay.

    What a study that runs now has used since it began is needed. `besides` names one whose workers have ended.
    """
    begun = [running_since(study) for study in store.studies() if besides is None or study.path != besides.path]
    oldest = min((when for when in begun if when is not None), default=None)
    entries = cache_entries(store)
    taken, chosen, num_needed = sum(entry.size_bytes for entry in entries), [], 0
    for entry in entries:
        if taken <= limit_bytes:
            break
        if oldest is not None and entry.last_use >= oldest:
            num_needed += 1
            continue
        chosen.append(entry)
        taken -= entry.size_bytes
    return chosen, num_needed


def remove_entry(entry: CacheEntry) -> bool:
    """Remove a cache entry; False when a process holds it or has used it since it was looked at."""
    with _held(entry.path.with_name(f".{entry.path.name.removesuffix('.run')}.lock")) as is_held:
        if not is_held or _last_use(entry.path) > entry.last_use:
            return False
        remove_folder(entry.path)
        return True


def trim_cache(store: Store, limit_gib: float, *, besides: StudyFolder | None = None) -> int:
    """Bring the cache under its limit as far as running studies allow; bytes that are free now."""
    chosen, _ = removable_entries(store, limit_gib * GIB, besides=besides)
    return sum(entry.size_bytes for entry in chosen if remove_entry(entry))


def running_since(folder: StudyFolder) -> float | None:
    """When the process that runs the study took its lock; None when none does."""
    return folder.lease.since


def _last_use(path: Path) -> float:
    """Readers touch the file that tells of the entry; writers touch all of them."""
    times = [0.0]
    with suppress(OSError):  # gone meanwhile
        files = [child for child in path.iterdir() if child.is_file()] if path.is_dir() else [path]
        times += [file.stat().st_mtime for file in files]
    return max(times)


def _size(path: Path) -> int:
    return folder_size(path) if path.is_dir() else path.stat().st_size


@contextmanager
def _held(lock: Path) -> Iterator[bool]:
    """Whether the entry's lock could be taken; whoever makes or loads the entry holds it."""
    with lock.open("w", encoding="utf-8") as file:
        yield try_lock(file)


def _files(path: Path) -> Iterator[tuple[Path, int]]:
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                status = (Path(folder) / name).lstat()
                if stat.S_ISREG(status.st_mode):
                    yield Path(folder) / name, status.st_size
