"""The `guards` node: every shipped guard, and those that the sweep names, each completed from its file.

A word stands for a mode: `guards: {near_duplicates: fix}`, or `guards.near_duplicates=fix` on the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ftsweep.config.folders import SweepFile, list_group
from ftsweep.config.grammar import Assignment
from ftsweep.config.schema import GUARDS
from ftsweep.errors import ConfigError, suggest

_MODE = "mode"
_REMEDY = f"Name a guard and its mode: {GUARDS}.near_duplicates=fix; `ftsweep list {GUARDS}` names them."


class GuardFiles:
    """The guards within reach of a sweep file: shipped ones, and those in `guards/` beside it or on its search path."""

    def __init__(self, sweep: SweepFile, search_path: Sequence[str] = ()) -> None:
        self._label = sweep.label
        self._shipped = {entry["name"] for entry in list_group(GUARDS)}
        near = [sweep.folder / path.removeprefix("file://") for path in search_path if not path.startswith("pkg://")]
        beside = [] if sweep.is_shipped else [sweep.folder]
        self._files: dict[str, Path] = {}
        for folder in reversed([*beside, *near]):  # the nearest one wins, and a shipped one last
            self._files |= {entry["name"]: Path(entry["file"]) for entry in list_group(GUARDS, beside=folder)}
        self._files = self._files or {entry["name"]: Path(entry["file"]) for entry in list_group(GUARDS)}

    def completed(self, tree: Mapping[str, Any], assignments: Sequence[Assignment] = ()) -> dict[str, Any]:
        """Every shipped guard and all that the tree or an assignment names, as their files and the tree have them.

        Raises:
            ConfigError: there is no such guard, or the node is no mapping.
        """
        written = tree.get(GUARDS)
        written = {} if written is None else written
        if not isinstance(written, Mapping) or "_target_" in written:
            raise ConfigError("this is not a mapping of guards", where=f"{self._label}: {GUARDS}", remedy=_REMEDY)
        assigned = [part[1] for each in assignments if (part := each.key.split("."))[0] == GUARDS and len(part) > 1]
        nodes: dict[str, Any] = {}
        for name in dict.fromkeys([*sorted(self._shipped), *written, *assigned]):
            node = _spelled_out(written.get(name, {}))
            is_whole = isinstance(node, Mapping) and "_target_" in node
            if name not in self._files and not is_whole:
                where = self._label if name in written else "command line"
                raise ConfigError(
                    "there is no such guard", where=f"{where}: {GUARDS}.{name}", remedy=suggest(name, self._files)
                )
            own = {} if name not in self._files else _read(self._files[name])
            nodes[name] = {**own, **node} if isinstance(node, Mapping) else node
        return nodes


def spelled_out(assignments: Sequence[Assignment]) -> tuple[Assignment, ...]:
    """Assignments in which `guards.near_duplicates=fix` is written `guards.near_duplicates.mode=fix`.

    Raises:
        ConfigError: the whole node is set to something else than a mapping.
    """
    found = []
    for each in assignments:
        root, _, rest = each.key.partition(".")
        if root == GUARDS and not rest and each.removes:
            raise ConfigError(f"{each.line!r} names no guard", where="command line", remedy=_REMEDY)
        if root == GUARDS and not each.removes:
            if not rest and not isinstance(each.value, dict):
                raise ConfigError(f"{each.line!r} names no guard", where="command line", remedy=_REMEDY)
            if not rest:
                value = {name: _spelled_out(node) for name, node in each.value.items()}
                each = Assignment(GUARDS, value, each.line)
            elif "." not in rest and not isinstance(each.value, dict):
                each = Assignment(f"{each.key}.{_MODE}", _word(each.value), each.line)
        found.append(each)
    return tuple(found)


def _spelled_out(node: Any) -> Any:
    if not isinstance(node, Mapping):
        return {_MODE: _word(node)}
    return {key: _word(value) if key == _MODE else value for key, value in node.items()}


def _word(value: Any) -> Any:
    """YAML 1.1 reads an unquoted `off` as false, and `on` as true."""
    return {False: "off", True: "on"}[value] if isinstance(value, bool) else value


def _read(file: Path) -> dict[str, Any]:
    loaded = deepcopy(_parsed(file, file.stat().st_mtime_ns))
    if not isinstance(loaded, dict) or "_target_" not in loaded:
        raise ConfigError("a guard's file names its class as `_target_`", where=str(file))
    return {key: _word(value) if key == _MODE else value for key, value in loaded.items()}


@cache
def _parsed(file: Path, modified: int) -> Any:
    """A file as it was at this time: a study reads the files of all guards for each of its branches."""
    return OmegaConf.to_container(OmegaConf.load(file), resolve=False)
