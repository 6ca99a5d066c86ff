"""What a job needs of the control machine's disk, and what of it the job may change."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.errors import UsageError

_SPLITS = ("train", "validation", "test")
_UNNEEDED = ("checkpoint", "samples")  # of a run that is only compared


@dataclass
class Inputs:
    """Of one job: its paths, and the files below them by what becomes of them."""

    paths: set[str] = field(default_factory=set)
    """Strings in the job that are paths of the control machine."""
    kept: dict[str, Path] = field(default_factory=dict)
    """Files that the job reads: where they belong, and where they are."""
    copied: dict[str, Path] = field(default_factory=dict)
    """Files of the job's own folder, which it changes."""
    outputs: list[str] = field(default_factory=list)
    """Folders whose changes are brought back."""


def inputs_of(job: Mapping[str, Any]) -> Inputs:
    """All that has to be on a node before it takes the job.

    Raises:
        UsageError: the job needs what cannot be carried.
    """
    inputs = Inputs()
    for key in ("folder", "destination"):
        if key in job:
            inputs.paths.add(job[key])
            inputs.outputs.append(job[key])
    if "folder" in job:
        inputs.copied.update(_below(job["folder"]))
    if "cache" in job:
        inputs.paths.add(job["cache"])
    for folder, _ in (*job.get("left", ()), *job.get("right", ())):
        if folder not in inputs.paths:
            inputs.paths.add(folder)
            inputs.kept.update({name: file for name, file in _below(folder).items() if not _is_unneeded(folder, name)})
    for path in _config_paths(job.get("spec", {}).get("config", {})):
        inputs.paths.add(path)
        inputs.kept.update(_matching(path))
    return inputs


def code_of(folders: list[str]) -> dict[str, Path]:
    """A user's components beside the sweep file: modules and packages of Python, and no data."""
    found = {}
    for folder in folders:
        modules = [
            *Path(folder).glob("*.py"),
            *(f for p in Path(folder).glob("*/__init__.py") for f in p.parent.rglob("*.py")),
        ]
        found.update({str(file): file for file in modules})
    return found


def _config_paths(config: Mapping[str, Any]) -> Iterator[str]:
    """Absolute paths of data and of the base model."""
    stages = config.get("stages") or {}
    for node in (config.get("data"), config.get("general"), *(stage.get("data") for stage in stages.values())):
        for split in _SPLITS:
            value = (node or {}).get(split)
            yield from (each for each in _listed(value) if each.startswith("/"))
    model = config.get("model") or {}
    if "study" in model:
        raise UsageError(
            "executor: ray does not carry the model of another study to the nodes",
            where="model",
            remedy="Export it (ftsweep best STUDY --export FOLDER --merge) and take it: model=local model.path=FOLDER.",
        )
    if str(model.get("path", "")).startswith("/"):
        yield model["path"]


def _listed(value: Any) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [each for each in found if isinstance(each, str)]


def _matching(path: str) -> dict[str, Path]:
    """The files that a path stands for: itself, all below it, those of a pattern, or the archive that it lies in."""
    place = Path(path)
    if place.is_file():
        return {path: place}
    if place.is_dir():
        return _below(path)
    for parent in place.parents:
        if parent.is_file():  # a member of an archive
            return {str(parent): parent}
    found: dict[str, Path] = {}
    for each in glob.glob(path, recursive=True):  # noqa: PTH207 - absolute patterns
        found.update(_matching(each))
    return found


def _below(folder: str) -> dict[str, Path]:
    files = (file for file in Path(folder).rglob("*") if file.is_file() and not file.name.endswith(".tmp"))
    return {str(file): file for file in files}


def _is_unneeded(folder: str, name: str) -> bool:
    return Path(name).relative_to(folder).parts[0] in _UNNEEDED
