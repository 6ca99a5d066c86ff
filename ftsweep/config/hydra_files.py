"""Composing files with Hydra: the sweep file as primary config, groups beside it, then shipped ones.

Hydra keeps its state in singletons; everything here puts them back, so that composing leaves no trace and also works
inside a program that uses Hydra itself.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime
from hydra.errors import HydraException, MissingConfigException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ftsweep.config.checks.size import check_tree, check_yaml
from ftsweep.config.folders import SweepFile, shipped_folder
from ftsweep.config.grammar import SEARCH_PATH, GroupChoice
from ftsweep.config.schema import COMPONENT_GROUPS, CORE_NODES
from ftsweep.domain.paths import typed_path
from ftsweep.errors import ConfigError, suggest

_extra_path: ContextVar[tuple[str, ...]] = ContextVar("ftsweep_extra_path", default=())
_HYDRA_STATE: tuple[type, ...] = (GlobalHydra, JobRuntime, VersionBase)


class ShippedGroups(SearchPathPlugin):
    """Adds the user's own search path and then the shipped groups behind the sweep file's folder.

    A plug-in and not an override of hydra.searchpath, because that override would erase the user's list. It does
    nothing for other users of Hydra in the process.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for path in _extra_path.get():
            search_path.append("ftsweep", path)


@dataclass(frozen=True)
class Composition:
    """A composed tree, not resolved, and which file each group's choice came from."""

    tree: dict[str, Any]
    choices: Mapping[str, tuple[str, Path | None]]
    """Group (or `group@package`) to the choice and its file."""
    own_groups: frozenset[str] | None
    """Groups that have a choice by the file's own defaults, Hydra's own among them; None where nobody has looked."""


def read_sweep_file(sweep: SweepFile) -> dict[str, Any]:
    """The sweep file's own text as a plain tree, interpolations unresolved.

    Raises:
        ConfigError: it is no YAML mapping; names the line.
    """
    try:
        check_yaml(sweep.path.read_text(encoding="utf-8"), sweep.label)
        loaded = OmegaConf.load(sweep.path)
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{sweep.label}:{mark.line + 1}" if mark else sweep.label
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"this is not YAML: {reason}", where=place, remedy="Mend the file.") from None
    if not OmegaConf.is_dict(loaded) or not loaded:
        remedy = "Begin with defaults: [base, model: ..., data: ..., task: ..., strategy: ..., _self_]"
        raise ConfigError("a sweep file is a mapping of settings", where=sweep.label, remedy=remedy)
    tree: dict[str, Any] = OmegaConf.to_container(loaded, resolve=False)  # type: ignore[assignment]
    check_tree(tree, sweep.label)
    for name in (*CORE_NODES, *COMPONENT_GROUPS):
        if isinstance(tree.get(name), list):  # Hydra would only say that it cannot merge
            raise ConfigError(
                f"{tree[name]!r} is not a mapping of settings",
                where=f"{sweep.label}: {name}",
                remedy=f"Write {name}: {{key: value}}.",
            )
    return tree


def compose_files(
    sweep: SweepFile, choices: Sequence[GroupChoice], search_path: Sequence[str] = (), known: Composition | None = None
) -> Composition:
    """The sweep file with its defaults and these group choices. `known`, of the same file with others, saves time.

    Raises:
        ConfigError: a group or a choice does not exist, or a file cannot be read.
    """
    last = {each.group: each.choice for each in choices}
    with _hydra(sweep, search_path) as loader:
        lines: list[str] = []
        own_groups = known.own_groups if known else None
        # plain groups first: which nested ones (pruner@pruner.pruner) there are depends on them
        for nested in (False, True):
            asked = {group: choice for group, choice in last.items() if ("@" in group) is nested}
            if not asked:
                continue
            present = own_groups if own_groups and not nested else _present(loader, sweep, lines)
            own_groups = own_groups if nested else present
            lines += [
                f"{'' if group in present or not present else '+'}{group}={choice}" for group, choice in asked.items()
            ]
        try:
            composed = compose(sweep.path.stem, overrides=lines, return_hydra_config=True)
        except MissingConfigException as error:
            raise _missing(error, sweep, loader, choices) from None
        except RecursionError:
            raise ConfigError("the files' `defaults` lead in a circle", where=sweep.label) from None
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
            raise _refusal(error, sweep) from None
        tree: dict[str, Any] = OmegaConf.to_container(composed, resolve=False)  # type: ignore[assignment]
        runtime = tree.pop("hydra")["runtime"]
    folders = [Path(each["path"]) for each in runtime["config_sources"] if each["schema"] == "file"]
    chosen = {
        group: (choice, _file(group.partition("@")[0], choice, folders))
        for group, choice in runtime["choices"].items()
        if not group.startswith("hydra/") and choice is not None
    }
    return Composition(tree, chosen, own_groups if last else frozenset(runtime["choices"]))


def group_names(sweep: SweepFile, search_path: Sequence[str] = ()) -> set[str]:
    """Every config group within reach of the sweep file: shipped ones, and folders beside it."""
    with _hydra(sweep, search_path) as loader:
        return {name for name in loader.list_groups("") if name != "hydra"}


@contextmanager
def _hydra(sweep: SweepFile, search_path: Sequence[str]) -> Iterator[Any]:
    plugins = Plugins.instance()
    if ShippedGroups not in plugins.discover(SearchPathPlugin):
        plugins.register(ShippedGroups)
    saved = {cls: Singleton._instances.pop(cls) for cls in _HYDRA_STATE if cls in Singleton._instances}
    users = [_absolute(each, sweep.folder) for each in search_path]
    token = _extra_path.set((*users, f"file://{shipped_folder('conf')}"))
    try:
        # Hydra looks for the user's relative folders from the current one and warns; the checked ones are ours
        hydra = initialize_config_dir(str(sweep.folder), job_name="ftsweep", version_base="1.3")
        with warnings.catch_warnings(), hydra:
            warnings.filterwarnings("ignore", message=r"provider=hydra\.searchpath")
            yield GlobalHydra.instance().config_loader()
    finally:
        _extra_path.reset(token)
        for cls in _HYDRA_STATE:
            Singleton._instances.pop(cls, None)
        Singleton._instances.update(saved)


def _present(loader: Any, sweep: SweepFile, lines: list[str]) -> frozenset[str]:
    """Groups that have a choice already; none when the file's own defaults have a fault, which then shows later."""
    try:
        listed = loader.compute_defaults_list(config_name=sweep.path.stem, overrides=lines, run_mode=RunMode.RUN)
    except (HydraException, RecursionError, ValueError):
        return frozenset()
    return frozenset(listed.overrides.known_choices)


def _absolute(path: str, folder: Path) -> str:
    """An entry of the user's search path; a relative folder is meant from the sweep file's folder."""
    scheme, separator, rest = path.partition("://")
    if separator and scheme == "pkg":
        try:
            is_there = find_spec(rest.replace("/", ".")) is not None
        except (ImportError, ValueError):
            is_there = False
        if not is_there:
            raise ConfigError(
                f"there is no package {rest!r}", where=SEARCH_PATH, remedy="Install it, or mend the name."
            )
        return path
    place = folder / typed_path(rest if separator else path)
    if not place.is_dir():
        raise ConfigError("this folder does not exist", where=f"{SEARCH_PATH}: {place}", remedy="Mend the path.")
    return f"file://{place}"


def _missing(
    error: MissingConfigException, sweep: SweepFile, loader: Any, choices: Sequence[GroupChoice]
) -> ConfigError:
    group, _, choice = (error.missing_cfg_file or "").rpartition("/")
    asked = [each.where for each in choices if each.group.partition("@")[0] == group and each.choice == choice]
    where = asked[-1] if asked else sweep.label
    groups = {*COMPONENT_GROUPS, *(name for name in loader.list_groups("") if name != "hydra")}
    if group in groups:
        return ConfigError(f"{group}={choice} does not exist", where=where, remedy=suggest(choice, error.options or ()))
    if group:
        return ConfigError(f"there is no config group {group!r}", where=where, remedy=suggest(group, groups))
    remedy = "The settings that every sweep begins with are called `base`."
    return ConfigError(f"defaults names {choice!r}, which does not exist", where=where, remedy=remedy)


def _refusal(error: BaseException, sweep: SweepFile) -> ConfigError:
    reason = _reason(error)
    twice = re.match(r"Multiple values for ([\w@./]+)\. To override a value use '(override [^']+)'", reason)
    if twice is None:
        return ConfigError(reason, where=sweep.label)
    return ConfigError(
        f"{twice[1]} is chosen twice, by `base` or another file of `defaults` as well",
        where=f"{sweep.label}: defaults",
        remedy=f"Write `{twice[2]}` there.",
    )


def _reason(error: BaseException) -> str:
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    lines = [line.strip() for cause in causes for line in str(cause).splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else type(error).__name__


def _file(group: str, choice: str, folders: Sequence[Path]) -> Path | None:
    return next((file for folder in folders if (file := folder / group / f"{choice}.yaml").is_file()), None)
