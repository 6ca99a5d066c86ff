"""`ftsweep best --export`: the copied model made to open in other tools, in this process."""

from __future__ import annotations

from pathlib import Path

from ftsweep.config.build import import_path
from ftsweep.store.folders import StudyFolder
from ftsweep.store.result import model_folder


def check_export(folder: StudyFolder, *, merge: bool) -> None:
    """Raise UsageError when the chosen model cannot be exported so; before anything is written."""
    if merge:
        from ftsweep.worker.portable_export import check_mergeable

        check_mergeable(model_folder(folder))


def complete_export(folder: StudyFolder, destination: Path, *, merge: bool) -> None:
    """Add to an exported folder what transformers and PEFT need, or merge it."""
    manifest = folder.manifest()
    with import_path(manifest.search_folders):
        from ftsweep.worker.portable_export import open_elsewhere

        open_elsewhere(destination, merge=merge, allowed=manifest.allow)
