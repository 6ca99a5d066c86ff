"""The chosen model of a study: copied out of its folder, or loaded to answer rows."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftsweep.config.build import import_path
from ftsweep.domain.commands import study_command
from ftsweep.errors import UsageError
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.result import model_folder

if TYPE_CHECKING:
    from ftsweep.serving.model import Predictor


_ANOTHER = "Name another folder."


def make_destination(destination: Path) -> None:
    """Make the folder that a model is exported to; it must be absent or empty.

    Raises:
        UsageError: the folder has something in it, or cannot be made.
    """
    try:
        if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
            raise UsageError("this exists and is not an empty folder", where=str(destination), remedy=_ANOTHER)
        destination.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"this folder cannot be made: {error.strerror}", where=str(destination), remedy=_ANOTHER
        ) from error


def export_best(folder: StudyFolder, destination: Path) -> None:
    """Copy the chosen model; a folder that has something in it is not touched."""
    make_destination(destination)
    shutil.copytree(model_folder(folder), destination, dirs_exist_ok=True)


def predictor_for(model: str, store: Store, allowed: Sequence[str] = ()) -> Predictor:
    """The chosen model of a study in the store, or an exported model folder, ready to predict."""
    from ftsweep.serving.model import MANIFEST, load_predictor  # torch

    path = Path(model)
    if (path / MANIFEST).is_file():
        return load_predictor(path, allowed=allowed)
    folder = next((study for study in store.studies() if study.name == model), None)
    if folder is None:
        known = ", ".join(study.name for study in store.studies()) or "none"
        raise UsageError(
            f"{model!r} is neither an exported model's folder nor a study in {store.name}",
            remedy=f"Studies here: {known}.",
        )
    if not model_folder(folder).exists():
        see = study_command("status", model, store=store.name)
        raise UsageError(f"study {model!r} has no chosen model yet", remedy=f"See: {see}")
    manifest = folder.manifest()
    with import_path(manifest.search_folders):
        return load_predictor(model_folder(folder), allowed=manifest.allow)
