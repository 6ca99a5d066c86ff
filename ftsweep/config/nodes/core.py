"""The typed core: dataclasses from the composed tree, the objective, the study's name and its enqueued settings."""

from __future__ import annotations

import glob
import os.path
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ftsweep.config.checks.stopping import check_stops
from ftsweep.config.checks.values import parameters, settings_problem, value_problem
from ftsweep.config.layers import BranchLayer, Layers
from ftsweep.config.nodes.enqueued import enqueued_params
from ftsweep.config.nodes.space import extremes
from ftsweep.config.nodes.stage_keys import INHERITED
from ftsweep.config.schema import (
    GENERAL,
    STAGES,
    ObjectiveSettings,
    StoreSettings,
    StudySettings,
    TrainingSettings,
)
from ftsweep.domain.addresses import address_problem, is_address, plain_address
from ftsweep.domain.metric import Metrics
from ftsweep.domain.names import NAME_REMEDY, is_name
from ftsweep.domain.objective import Objective
from ftsweep.domain.paths import typed_path
from ftsweep.domain.space import Branch, Space
from ftsweep.errors import ConfigError, suggest

T = TypeVar("T")

_PATH_KEYS = {"data": ("train", "validation", "test"), "model": ("path",)}


def store_settings(layers: Layers) -> StoreSettings:
    """The store, with `~` followed: a shell does not do that behind `store.path=`."""
    store = core_node(layers, "store", StoreSettings)
    if not store.path.strip():
        where = layers.where("store.path")
        raise ConfigError("this names no folder", where=where, remedy="Name one: store.path=mlruns.")
    if is_address(store.path):
        return _with_database(layers, replace(store, path=_address(store.path, layers.where("store.path"))))
    if "?" in os.path.abspath(typed_path(store.path)):  # noqa: PTH100 - links stay links
        where = layers.where("store.path")
        what = "the store's path has a `?`, which ends the path in the address of a database"
        raise ConfigError(what, where=where, remedy="Name another folder: store.path=...")
    return _with_database(layers, replace(store, path=str(typed_path(store.path))))


def _address(text: str, where: str) -> str:
    """The address of a store, spelled in one way."""
    problem = address_problem(text)
    if problem is not None:
        raise ConfigError(problem[0], where=where, remedy=problem[1])
    return plain_address(text)


def _with_database(layers: Layers, store: StoreSettings) -> StoreSettings:
    """The settings, whose database has been looked at."""
    if store.database is not None and not _is_postgres(store.database):
        where = layers.where("store.database")
        what = f"{store.database!r} is no address of a PostgreSQL database"
        remedy = "Give postgresql://user@host/name, or null for SQLite in the store."
        raise ConfigError(what, where=where, remedy=remedy)
    return store


def _is_postgres(address: str) -> bool:
    """The password is no matter here: `check_tree` has refused one."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "postgresql" and bool(parts.netloc or parts.query) and len(parts.path) > 1


def core_node(layers: Layers, name: str, cls: type[T], branch: BranchLayer | None = None) -> T:
    """A core node as its dataclass; unknown keys, wrong types and values out of bounds raise ConfigError."""
    node = mapping(layers, name, branch)
    problem = settings_problem(cls, node)
    if problem:
        raise ConfigError(problem.what, where=layers.where(f"{name}.{problem.key}", branch), remedy=problem.remedy)
    return cls(**node)


def mapping(layers: Layers, name: str, branch: BranchLayer | None = None) -> dict[str, Any]:
    """The node at a dotted key, which must be a mapping; an absent or empty one is {}."""
    node: Any = branch.tree if branch else layers.tree
    for part in name.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        raise ConfigError(f"{node!r} is not a mapping of settings", where=layers.where(name, branch))
    return dict(node)


def training_node(layers: Layers, branch: BranchLayer, space: Space, stage: str = "") -> dict[str, Any]:
    """The `training` node with every default, its values as typed, after checking what the space may put there.

    Of a stage by its name: then without patience, for it has no rungs, and how it is computed is the sweep's own way.
    """
    place = f"{STAGES}.{stage}.training" if stage else "training"
    core_node(layers, place, TrainingSettings, branch)
    own = mapping(layers, place, branch)
    if stage and own.get("patience") is not None:
        where = layers.where(f"{place}.patience", branch)
        raise ConfigError("a stage has no rungs to be patient for", where=where, remedy="Remove it.")
    shared = mapping(layers, "training", branch) if stage else {}
    defaults = {field.name: field.default for field in fields(TrainingSettings)}
    node = defaults | {key: shared[key] for key in INHERITED if key in shared} | own
    known = parameters(TrainingSettings)
    for path, dimension in space.dimensions.items():
        if not path.startswith(f"{place}."):
            continue
        key = path.removeprefix(f"{place}.")
        where = layers.where(f"space.{path}", branch)
        if key not in known or (stage and key == "patience"):
            raise ConfigError(f"the configuration has no {path!r}", where=where, remedy=suggest(key, known))
        for value in extremes(dimension):
            what = value_problem(known[key].annotation, value)
            if what:
                raise ConfigError(what, where=where)
    return node


def study_settings(layers: Layers, branches: Sequence[Branch], num_trials: int, objective: Objective) -> StudySettings:
    """The `study` node: its name is the sweep file's without another, enqueued settings are by parameter name."""
    node = mapping(layers, "study")
    name: Any = layers.file.path.stem if node.get("name") is None else node["name"]
    typed = {**node, "name": name, "enqueue": node.get("enqueue") or []}
    problem = settings_problem(StudySettings, typed)
    if problem:
        raise ConfigError(problem.what, where=layers.where(f"study.{problem.key}"), remedy=problem.remedy)
    if not is_name(name):
        remedy = f"Set study.name to another one. {NAME_REMEDY}"
        raise ConfigError(f"{name!r} cannot be a study's name", where=layers.where("study.name"), remedy=remedy)
    place = layers.where("study.enqueue")
    enqueued = tuple(_enqueued(entry, branches, f"{place}[{index}]") for index, entry in enumerate(typed["enqueue"]))
    needed = len(enqueued) + sum(branch.has_default_in_space() for branch in branches)
    if enqueued and needed > num_trials:
        what = f"{num_trials} trials do not suffice for the default settings and {len(enqueued)} enqueued ones"
        raise ConfigError(what, where=place, remedy=f"Set budget.trials={needed}, or enqueue fewer.")
    check_stops(layers, typed, num_trials, objective)
    return StudySettings(**{**typed, "enqueue": enqueued})


def objective(layers: Layers, metrics_by_branch: Mapping[str, Metrics]) -> Objective:
    """The objective, checked against the metrics that every branch's task makes.

    Without a direction it is the metric's own; a contradicting one is refused, as are splits other than validation.
    """
    node = {key: value for key, value in mapping(layers, "objective").items() if value is not None}
    problem = settings_problem(ObjectiveSettings, node)
    if problem:
        raise ConfigError(problem.what, where=layers.where(f"objective.{problem.key}"), remedy=problem.remedy)
    chosen = Objective(**node)
    if chosen.split != "validation":
        why = {
            "test": "the test split is out of a trial's reach, it judges the chosen model alone",
            "train": "the train split would choose the trial that overfits most",
        }.get(chosen.split, f"there is no split {chosen.split!r} to choose by")
        raise ConfigError(why, where=layers.where("objective.split"), remedy="Set objective.split=validation.")
    for name, metrics in metrics_by_branch.items():
        if chosen.metric not in metrics:
            task = f"the task of branch {name!r}" if name else "the task"
            what = f"{task} makes no metric {chosen.metric!r}"
            raise ConfigError(what, where=layers.where("objective.metric"), remedy=suggest(chosen.metric, metrics))
        own = metrics[chosen.metric].direction
        if "direction" in node and node["direction"] != own:
            what = f"{chosen.metric} is not to be {node['direction']}d"
            remedy = f"Set objective.direction={own}, or leave it out."
            raise ConfigError(what, where=layers.where("objective.direction"), remedy=remedy)
        chosen = Objective(chosen.metric, chosen.split, own, {**metrics, **chosen.metrics})
    return chosen


def with_absolute_paths(layers: Layers, group: str, node: Mapping[str, Any], branch: BranchLayer) -> dict[str, Any]:
    """The node with its files and folders absolute: beside the sweep file if there, else from the current folder.

    `group` is the node's dotted key; `general` and a stage's `data` are data sources too.
    """
    result = dict(node)
    kind = "data" if group == GENERAL else group.rpartition(".")[2]
    for key in _PATH_KEYS.get(kind, ()):
        value = result.get(key)
        place = f"{group}.{key}"
        if isinstance(value, str):
            result[key] = _absolute(layers, value, place, branch)
        elif kind == "data" and isinstance(value, list) and all(isinstance(each, str) for each in value):
            result[key] = [_absolute(layers, each, place, branch) for each in value]
    if kind == "model" and "store" in result and isinstance(result["store"], str | None):  # of another study
        named = result["store"] or store_settings(layers).path
        if is_address(named):
            result["store"] = _address(named, layers.where(f"{group}.store", branch))
        else:
            result["store"] = os.path.abspath(typed_path(named))  # noqa: PTH100
    return result


def _absolute(layers: Layers, value: str, place: str, branch: BranchLayer) -> str:
    """The path, the pattern or the archive's member that is there, absolute."""
    typed = typed_path(value)
    folders = [Path.cwd()] if layers.file.is_shipped else [layers.file.folder, Path.cwd()]
    for folder in folders:
        path = folder / typed
        # not resolve(): a link that is pointed elsewhere must not change the study's configuration
        if path.exists() or any(each.is_file() and each.suffix.lower() == ".zip" for each in path.parents):
            return os.path.abspath(path)  # noqa: PTH100
    for folder in folders if any(sign in value for sign in "*?[") else ():
        pattern = str(typed) if typed.is_absolute() else os.path.join(glob.escape(str(folder)), typed)  # noqa: PTH118
        if next(glob.iglob(pattern, recursive=True), None) is not None:  # noqa: PTH207 - Path.glob takes no absolute ones
            return os.path.abspath(pattern)  # noqa: PTH100
    looked = "" if typed.is_absolute() else f" (looked in {' and '.join(_folders(layers))})"
    raise ConfigError(
        f"there is no file or folder {value!r}{looked}",
        where=layers.where(place, branch),
        remedy="Give a path that exists; a relative one is meant from the sweep file or the current folder.",
    )


def as_node(settings: Any) -> dict[str, Any]:
    """A settings dataclass as the plain node that a spec carries."""
    return {field.name: getattr(settings, field.name) for field in fields(settings)}


def _folders(layers: Layers) -> list[str]:
    beside = [] if layers.file.is_shipped else [layers.file.folder]
    return [str(folder) for folder in dict.fromkeys([*beside, Path.cwd()])]


def _enqueued(entry: Mapping[str, Any], branches: Sequence[Branch], place: str) -> dict[str, Any]:
    """One setting in full, by parameter name."""
    if not entry.keys() - {"branch"}:
        known = ", ".join(branch.param_name(path) for branch in branches for path in branch.space.dimensions)
        what = "an enqueued setting names no parameter"
        raise ConfigError(what, where=place, remedy=f"Parameters: {known or 'none'}.")
    return enqueued_params(branches, entry, where=place)[1]
