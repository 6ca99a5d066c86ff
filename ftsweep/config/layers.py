"""From a sweep file and a command line to one resolved tree per branch, and where each key in it came from.

Later ones win: shipped groups, groups beside the sweep file, the sweep file, a branch's overrides, the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ftsweep.config.checks.size import check_tree
from ftsweep.config.folders import SweepFile, find_sweep, shipped_folder
from ftsweep.config.grammar import SEARCH_PATH, Assignment, GroupChoice, Overrides, parse_overrides
from ftsweep.config.hydra_files import Composition, compose_files, group_names, read_sweep_file
from ftsweep.config.nodes.branches import branch_nodes, check_branch_overrides, check_choices_matter
from ftsweep.config.nodes.guards import GuardFiles, spelled_out
from ftsweep.config.nodes.stage_keys import check_all_used, check_stage_overrides, chosen_stages
from ftsweep.config.schema import BRANCH_GROUPS, COMPONENT_GROUPS, GUARDS, STAGES, TOP_LEVEL_KEYS
from ftsweep.errors import ConfigError, suggest

MISSING = "???"


@dataclass(frozen=True)
class BranchLayer:
    """One approach: its tree before and after interpolation."""

    name: str
    raw: Mapping[str, Any]
    tree: Mapping[str, Any]
    choices: Mapping[str, tuple[str, Path | None]]
    own_space: Any
    overrides: Overrides

    def describe(self) -> str:
        return f"branch {self.name!r}: " if self.name else ""


@dataclass(frozen=True)
class Layers:
    """Everything that the sweep file, the groups and the command line say, before it is checked."""

    file: SweepFile
    written: Mapping[str, Any]
    overrides: Overrides
    tree: Mapping[str, Any]
    choices: Mapping[str, tuple[str, Path | None]]
    branches: tuple[BranchLayer, ...]
    lines: tuple[str, ...]
    """The command line's overrides as they came."""

    @property
    def has_branches(self) -> bool:
        return bool(self.branches[0].name)

    def origin(self, key: str, branch: BranchLayer | None = None) -> str:
        """Where a key was set, for a person: the command line, the sweep file, a group's file."""
        line = self.overrides.line_of(key)
        if line:
            return f"command line ({line})"
        line = branch.overrides.line_of(key) if branch else None
        if line:
            return f"{self.file.label} (branches.{branch.name}.overrides)" if branch else ""
        own_space = {"space": branch.own_space} if branch else {}
        if has_path(self.written, key) or has_path(own_space, key):
            return self.file.label
        chosen = (branch.choices if branch else self.choices).items()
        places = {group.partition("@")[2] or group: file for group, (_, file) in chosen}  # of each choice in the tree
        nearest = max((place for place in places if f"{key}.".startswith(f"{place}.")), key=len, default="")
        file = places.get(nearest)
        return display(file, self.file) if file else self.file.label

    def where(self, key: str, branch: BranchLayer | None = None) -> str:
        """The place that a message about this key begins with."""
        prefix = branch.describe() if branch else ""
        return f"{self.origin(key, branch)}: {prefix}{key}"


def read_layers(sweep: str, lines: Sequence[str]) -> Layers:
    """Compose the sweep with these overrides; nothing is checked yet but what composing itself needs.

    Raises:
        ConfigError: files, groups, choices, overrides or interpolations that cannot be followed.
    """
    file = find_sweep(sweep)
    written = read_sweep_file(file)
    _check_written_keys(written, file)
    first = parse_overrides(lines, groups=COMPONENT_GROUPS)
    search_path = first.search_path or _written_search_path(written, file)
    groups = group_names(file, search_path) - {GUARDS}
    overrides = parse_overrides(lines, groups=groups)
    overrides = replace(overrides, assignments=spelled_out(overrides.assignments))
    base = compose_files(file, overrides.choices, search_path)
    guards = GuardFiles(file, search_path).completed(base.tree, overrides.assignments)
    tree = assign({**base.tree, GUARDS: guards}, overrides.assignments)
    tree = {**tree, STAGES: chosen_stages(tree, None, file, "")}
    nodes = branch_nodes(tree, file)
    check_choices_matter(overrides.choices, nodes)

    def branch(name: str, node: Mapping[str, Any]) -> BranchLayer:
        place = f"{file.label}: branches.{name}.overrides"
        own = parse_overrides(node.get("overrides", []), groups=groups, where=place)
        check_branch_overrides(own, place)
        chosen = [
            GroupChoice(group, node[group], f"{file.label}: branches.{name}")
            for group in BRANCH_GROUPS
            if group in node
        ]
        files = compose_files(file, [*overrides.choices, *chosen], search_path, base) if chosen else base
        raw = assign(assign({**files.tree, GUARDS: guards}, own.assignments), overrides.assignments)
        stages = chosen_stages(raw, node.get(STAGES), file, f"{file.label}: branches.{name}.{STAGES}")
        check_stage_overrides(own, stages, place)
        raw = {**raw, STAGES: stages}
        return _branch_layer(name, raw, files, node.get("space"), own, file)

    branches = tuple(branch(name, node) for name, node in nodes.items())
    check_all_used(tree[STAGES], [each.tree[STAGES] for each in branches], file)
    resolved = resolve({key: value for key, value in tree.items() if key != "branches"}, file.label)
    only = branches or (BranchLayer("", tree, resolved, base.choices, None, Overrides()),)
    return Layers(file, written, overrides, resolved, base.choices, only, tuple(lines))


def assign(tree: Mapping[str, Any], assignments: Sequence[Assignment]) -> dict[str, Any]:
    """The tree with values written in, in order; a mapping merges into a mapping, everything else replaces."""
    result: dict[str, Any] = _copy(tree)
    for each in assignments:
        *parents, leaf = each.key.split(".")
        node = result
        for depth, parent in enumerate(parents):
            child = node.get(parent)
            if not isinstance(child, dict):
                if each.removes:
                    raise ConfigError(f"there is no {each.key!r} to remove", where=f"command line ({each.line})")
                if child is not None and parents[0] != "space":
                    place = ".".join(parents[: depth + 1])
                    raise ConfigError(f"{place} has no keys below it", where=f"command line ({each.line})")
                child = node[parent] = {}
            node = child
        if each.removes:
            if leaf not in node:
                known = suggest(leaf, [str(key) for key in node])
                raise ConfigError(f"there is no {each.key!r} to remove", where="command line", remedy=known)
            del node[leaf]
        elif isinstance(each.value, dict) and isinstance(node.get(leaf), dict) and not each.replaces:
            _merge(node[leaf], each.value)
        else:
            node[leaf] = _copy(each.value)
    return result


def resolve(tree: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The tree with interpolations followed."""
    check_tree(tree, where)
    if not _may_interpolate(tree):
        return _copy(tree)  # type: ignore[no-any-return]
    try:
        resolved: dict[str, Any] = OmegaConf.to_container(OmegaConf.create(dict(tree)), resolve=True)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None)
        place = f"{where}: {key}" if key else where
        raise ConfigError(str(error).splitlines()[0], where=place, remedy="Mend the interpolation.") from None
    return resolved


def _may_interpolate(node: Any) -> bool:
    """Whether OmegaConf could make something else of it, or refuse it; to ask OmegaConf takes 20 times as long."""
    if type(node) is dict:
        return any(type(key) is not str or _may_interpolate(value) for key, value in node.items())
    if type(node) is list:
        return any(map(_may_interpolate, node))
    return "${" in node if type(node) is str else not (node is None or type(node) in (bool, int, float))


def missing_keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Dotted keys whose value must be given by the user (`???`)."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from missing_keys(value, f"{prefix}.{key}" if prefix else str(key))
    elif node == MISSING:
        yield prefix


def display(file: Path, sweep: SweepFile) -> str:
    """A file as messages call it: from the sweep file's folder, or as shipped."""
    conf = shipped_folder("conf")
    if file.is_relative_to(conf):
        return f"conf/{file.relative_to(conf).as_posix()} (shipped)"
    return file.relative_to(sweep.folder).as_posix() if file.is_relative_to(sweep.folder) else str(file)


def _branch_layer(
    name: str, raw: dict[str, Any], files: Composition, space: Any, own: Overrides, file: SweepFile
) -> BranchLayer:
    raw = {key: value for key, value in raw.items() if key != "branches"}
    return BranchLayer(name, raw, resolve(raw, f"{file.label}: branch {name!r}"), files.choices, space, own)


def _check_written_keys(written: Mapping[str, Any], file: SweepFile) -> None:
    known = (*TOP_LEVEL_KEYS, "defaults", "hydra")
    for key in written:
        if key not in known:
            raise ConfigError("this key does not exist", where=f"{file.label}: {key}", remedy=suggest(str(key), known))
    defaults = written.get("defaults")
    remedy = "Begin with defaults: [base, model: ..., data: ..., task: ..., strategy: ..., _self_]"
    if not isinstance(defaults, list):
        what = "`defaults` must be a list" if "defaults" in written else "the sweep file has no `defaults`"
        raise ConfigError(what, where=file.label, remedy=remedy)
    if "_self_" not in defaults:
        remedy = "Add it as the last one, so that the file's own settings win over those it names."
        raise ConfigError("`defaults` lacks `_self_`", where=file.label, remedy=remedy)
    if file.path.stem in defaults:
        what = f"`defaults` names {file.path.stem!r}, which is this file itself"
        raise ConfigError(what, where=file.label, remedy="Give the file another name.")
    hydra = written.get("hydra") or {}
    for key in hydra if isinstance(hydra, Mapping) else ["?"]:
        if key != "searchpath":
            remedy = f"Of Hydra's own settings only {SEARCH_PATH} has a meaning here."
            raise ConfigError("this key is not supported", where=f"{file.label}: hydra.{key}", remedy=remedy)


def _written_search_path(written: Mapping[str, Any], file: SweepFile) -> tuple[str, ...]:
    paths = (written.get("hydra") or {}).get("searchpath") or []
    if not isinstance(paths, list) or not all(isinstance(each, str) for each in paths):
        raise ConfigError("this must be a list of folders", where=f"{file.label}: {SEARCH_PATH}")
    return tuple(paths)


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = _copy(value)


def _copy(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _copy(value) for key, value in node.items()}
    return [_copy(value) for value in node] if isinstance(node, list) else node


def has_path(tree: Any, key: str) -> bool:
    """Whether a tree has something at a dotted key."""
    for part in key.split("."):
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return True
