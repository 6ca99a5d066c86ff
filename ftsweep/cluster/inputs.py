"""What a job needs of the control machine's disk, and what of it the job may change."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.cluster.incoming import WHOLE
from ftsweep.domain.addresses import is_address
from ftsweep.store.address.place import store_named
from ftsweep.store.atomic import read_json, settle_folder

_SPLITS = ("train", "validation", "test")
_UNNEEDED = ("checkpoint", "samples")  # of a run that is only compared


@dataclass
class Inputs:
    """Of one job: its paths, and the files below them by what becomes of them."""

    paths: dict[str, str] = field(default_factory=dict)
    """Strings in the job that are paths of the control machine, or addresses that it has brought: the paths."""
    kept: dict[str, Path] = field(default_factory=dict)
    """Files that the job reads: where they belong, and where they are."""
    copied: dict[str, Path] = field(default_factory=dict)
    """Files of the job's own folder, which it changes."""
    told: list[str] = field(default_factory=list)
    """Those of `kept` that are JSON and name such paths themselves."""
    outputs: list[str] = field(default_factory=list)
    """Folders whose changes are brought back."""
    known: list[str] = field(default_factory=list)
    """Prepared sets that are here: none of them needs to be brought."""

    def add(self, path: str) -> None:
        self.paths[path] = path

    @property
    def addresses(self) -> dict[str, str]:
        return {text: path for text, path in self.paths.items() if is_address(text)}


def inputs_of(job: Mapping[str, Any], made: Sequence[str] = ()) -> Inputs:
    """All that has to be on a node before it takes the job; `made`: prepared sets that it may need."""
    inputs = Inputs()
    for key in ("folder", "destination"):
        if key in job:
            inputs.add(job[key])
            inputs.outputs.append(job[key])
    if "folder" in job:
        for whole in WHOLE:
            settle_folder(Path(job["folder"]) / whole)
        inputs.copied.update(_written_below(job["folder"]))
    if "cache" in job:
        inputs.add(job["cache"])
        if job.get("type") == "prepare":
            inputs.known += _prepared_sets(Path(job["cache"]))
        prepared = Path(job["cache"]) / "prepared"
        for folder in (each for each in made if Path(each).parent == prepared):  # a node names them
            inputs.kept.update(_below(folder))
    for folder, _ in (*job.get("left", ()), *job.get("right", ())):
        if folder not in inputs.paths:
            inputs.add(folder)
            written = _written_below(folder).items()
            inputs.kept.update({name: file for name, file in written if not _is_unneeded(folder, name)})
    config = job.get("spec", {}).get("config", {})
    for path in _data_paths(config):
        inputs.add(path)
        inputs.kept.update(_matching(path))
    _add_model(inputs, config.get("model") or {})
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


def _data_paths(config: Mapping[str, Any]) -> Iterator[str]:
    """Absolute paths of data."""
    stages = config.get("stages") or {}
    for node in (config.get("data"), config.get("general"), *(stage.get("data") for stage in stages.values())):
        for split in _SPLITS:
            yield from (each for each in _listed((node or {}).get(split)) if each.startswith("/"))


def _add_model(inputs: Inputs, node: Mapping[str, Any]) -> None:
    """The base's folder; of another study's model that of the model, and its base, which it names."""
    path = str(node.get("path") or "")
    if path.startswith("/") and path not in inputs.paths:
        inputs.add(path)
        inputs.kept.update(_matching(path))
    if node.get("study") and node.get("store"):
        store = store_named(node["store"])  # what lies at an address was brought before the study began
        inputs.paths[node["store"]] = str(store.root)
        model = store.study(node["study"]).path / "model"
        inputs.kept.update(_below(str(model)))
        manifest = model / "ftsweep.json"
        if manifest.is_file():
            inputs.told.append(str(manifest))
            _add_model(inputs, read_json(manifest).get("model") or {})


def _prepared_sets(cache: Path) -> Iterator[str]:
    """Those that are whole, by their folders' names."""
    for meta in cache.glob("prepared/*/meta.json"):
        with suppress(OSError, ValueError, KeyError, AttributeError):
            sizes = read_json(meta)["files"].items()
            if all((meta.parent / name).stat().st_size == size for name, size in sizes):
                yield meta.parent.name


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
    return {str(file): file for file in Path(folder).rglob("*") if file.is_file()}


def _written_below(folder: str) -> dict[str, Path]:
    """Of a run's folder: without what is being written, or was when its writer was killed."""
    return {
        name: file
        for name, file in _below(folder).items()
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    }


def _is_unneeded(folder: str, name: str) -> bool:
    return Path(name).relative_to(folder).parts[0] in _UNNEEDED
