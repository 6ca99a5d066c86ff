"""The chosen model of a study: copied out of its folder, or loaded to answer rows."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftsweep.config.build import import_path
from ftsweep.config.checks.kinds import OWN_PACKAGE
from ftsweep.domain.commands import study_command
from ftsweep.errors import UsageError
from ftsweep.store.atomic import read_json
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.result import model_folder, read_result

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
    _check_there(folder)
    make_destination(destination)
    shutil.copytree(model_folder(folder), destination, dirs_exist_ok=True)


def _load_exported(path: Path, allowed: Sequence[str]) -> Predictor:
    """An exported model; classes that it names are those of ftsweep, or of packages that the user allows."""
    from ftsweep.serving.model import MANIFEST, load_predictor

    parts = [part for part in read_json(path / MANIFEST).values() if isinstance(part, dict) and "_target_" in part]
    foreign = sorted({str(part["_target_"]).partition(".")[0] for part in parts} - {OWN_PACKAGE, *allowed})
    if foreign and not sys.stdlib_module_names.intersection(foreign):
        words = " ".join(f"--allow {package}" for package in foreign)
        raise UsageError(
            f"this model needs classes of {', '.join(foreign)}, and a folder may not name the code to run",
            where=str(path),
            remedy=f"If you trust it, have its modules on PYTHONPATH and add {words}.",
        )
    return load_predictor(path, allowed=allowed)


def _check_there(folder: StudyFolder) -> None:
    """Raise UsageError when the study has no chosen model, or somebody took its folder away."""
    if model_folder(folder).exists():
        return
    result = read_result(folder)
    if result is None or result.model is None:
        see = study_command("status", folder.name, store=folder.store.name)
        raise UsageError(f"study {folder.name!r} has no chosen model yet", remedy=f"See: {see}")
    remedy = "Give the study's `ftsweep run` again: it writes the model from the weights that its trial kept."
    raise UsageError("the chosen model is not there any more", where=str(model_folder(folder)), remedy=remedy)


def predictor_for(model: str, store: Store, allowed: Sequence[str] = ()) -> Predictor:
    """The chosen model of a study in the store, or an exported model folder, ready to predict."""
    from ftsweep.serving.model import MANIFEST, load_predictor  # torch

    path = Path(model)
    if (path / MANIFEST).is_file():
        return _load_exported(path, allowed)
    folder = next((study for study in store.studies() if study.name == model), None)
    if folder is None:
        known = ", ".join(study.name for study in store.studies()) or "none"
        raise UsageError(
            f"{model!r} is neither an exported model's folder nor a study in {store.name}",
            remedy=f"Studies here: {known}.",
        )
    _check_there(folder)
    manifest = folder.manifest()
    with import_path(manifest.search_folders):
        return load_predictor(model_folder(folder), allowed=manifest.allow)
