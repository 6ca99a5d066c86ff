"""`ftsweep clean`: what may go from a store, and its removal. What a running study needs is not looked at."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.analysis.comparison import kept_trials
from ftsweep.errors import StudyLockedError
from ftsweep.store.atomic import folder_size, is_alive, remove, understood
from ftsweep.store.folders import Store, StudyFolder, TrialFolder
from ftsweep.store.result import read_result
from ftsweep.store.usage import GIB, CacheEntry, removable_entries, remove_entry, running_since

_TORN = re.compile(r"\.(?P<name>.+)\.(?:(?P<process>\d+)\.tmp|old)")
"""What `write_json` and `written_folder` leave where they are killed."""


@dataclass(frozen=True)
class Removal:
    """One file or folder that may go, and why."""

    path: Path
    reason: str
    size_bytes: int


@dataclass
class Cleaning:
    """What was found and, unless it was only looked for, removed."""

    removals: list[Removal] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """What was left alone, as sentences."""

    @property
    def size_bytes(self) -> int:
        return sum(removal.size_bytes for removal in self.removals)

    def to_dict(self) -> dict[str, Any]:
        """JSON for scripts."""
        removals = [
            {"path": str(removal.path), "reason": removal.reason, "size_bytes": removal.size_bytes}
            for removal in self.removals
        ]
        return {"size_bytes": self.size_bytes, "removals": removals, "skipped": list(self.skipped)}


def clean(
    store: Store, studies: Sequence[StudyFolder], *, cache_gib: float | None = None, is_dry: bool = False
) -> Cleaning:
    """Remove what these studies do not need any more, what killed processes left and, with a limit, cache above it.

    is_dry: only say what would go. A study is locked while it is looked at; one that runs is left alone.
    """
    cleaning = Cleaning()
    for study in studies:
        try:
            with study.locked():
                _carry_out(cleaning, [*_of_study(study), *_torn(study.path)], is_dry)
        except StudyLockedError:
            cleaning.skipped.append(f"Study {study.name!r} is running: it was left alone.")
    since = min(filter(None, map(running_since, store.studies())), default=time.time())
    _carry_out(cleaning, [each for each in _torn(store.cache) if each.path.lstat().st_mtime < since], is_dry)
    if cache_gib is not None:
        _clean_cache(cleaning, store, cache_gib, is_dry)
    return cleaning


def _of_study(study: StudyFolder) -> Iterator[Removal]:
    manifest = study.manifest()
    with understood(study.manifest_file):
        top, objective = int(manifest.selection["top"]), manifest.terms.objective
    result, records = read_result(study), study.records()
    is_current = result is not None and result.is_about(records)
    chosen = result.number if result is not None and is_current else None
    needed = kept_trials(records, objective, top=top, chosen=chosen)
    for record in records:
        trial = study.trial(record.number)
        if record.outcome is not None:
            yield from _found(trial.checkpoint, "checkpoints of trials that have ended")
            if record.number not in needed:
                yield from _found(trial.best, "weights of trials that were not chosen")
    model = None if result is None or result.model is None else study.run(result.model.number, result.model.seed).best
    for kind in ("confirmations", "quantity"):
        for run in map(TrialFolder, study.path.glob(f"{kind}/*")):
            if run.outcome_file.exists():
                yield from _found(run.checkpoint, "checkpoints of runs that have ended")
                is_needed = kind == "confirmations" and not is_current  # the choice is still to be made
                if not is_needed and run.best != model:
                    yield from _found(run.best, "weights of runs that were made to choose")
    for trial in map(TrialFolder, study.path.glob("set_aside/*")):
        for kept in (trial.best, trial.checkpoint):
            yield from _found(kept, "weights of trials that were set aside")


def _torn(root: Path) -> Iterator[Removal]:
    """Half-written files and folders of dead processes, and former ones whose successors stand."""
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            match = _TORN.fullmatch(name)
            if match is None:
                continue
            path, process = Path(folder) / name, match["process"]
            is_over = (path.with_name(match["name"])).exists() if process is None else not is_alive(int(process))
            if is_over:
                yield from _found(path, "left by processes that were killed")
        folders[:] = [name for name in folders if not _TORN.fullmatch(name)]


def _clean_cache(cleaning: Cleaning, store: Store, cache_gib: float, is_dry: bool) -> None:
    chosen, num_needed = removable_entries(store, cache_gib * GIB)
    for entry in chosen:
        if is_dry or remove_entry(entry):
            cleaning.removals.append(_of_cache(entry))
        else:
            cleaning.skipped.append(f"{entry.path} is in use.")
    if num_needed:
        cleaning.skipped.append(f"{num_needed} entries of the cache are needed by a study that runs.")


def _of_cache(entry: CacheEntry) -> Removal:
    return Removal(entry.path, f"cache ({entry.kind}), what was not used for longest", entry.size_bytes)


def _found(path: Path, reason: str) -> Iterator[Removal]:
    if path.is_dir():
        yield Removal(path, reason, folder_size(path))
    elif path.exists():
        yield Removal(path, reason, path.stat().st_size)


def _carry_out(cleaning: Cleaning, removals: Sequence[Removal], is_dry: bool) -> None:
    for removal in removals:
        if not is_dry:
            remove(removal.path)
        cleaning.removals.append(removal)
