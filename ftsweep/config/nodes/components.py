"""Component nodes of all branches, checked against their constructors and completed with their defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftsweep.config.checks.components import Checked, Request, check_components
from ftsweep.config.layers import BranchLayer, Layers, display, has_path
from ftsweep.config.nodes import core as settings
from ftsweep.config.nodes.space import extremes
from ftsweep.config.nodes.stage_keys import stage_groups
from ftsweep.config.schema import BRANCH_GROUPS, COMPONENT_GROUPS, GENERAL, GUARDS, STAGES
from ftsweep.domain.metric import Metrics
from ftsweep.domain.role import Role
from ftsweep.domain.space import Space, leaves
from ftsweep.errors import ConfigError, FtsweepError


def checked_components(
    layers: Layers, spaces: Sequence[Space], allowed: Sequence[str]
) -> tuple[dict[tuple[str, str], Mapping[str, Any]], dict[str, Metrics], dict[str, Role]]:
    """Complete component nodes by (branch, dotted key), and by branch its task's metrics and its strategy's role.

    Nodes that all branches share are under branch "".
    """
    requests: list[tuple[BranchLayer, Request]] = []
    for branch, space in zip(layers.branches, spaces, strict=True):
        groups = [*(_shared_groups(layers) if branch is layers.branches[0] else ()), *BRANCH_GROUPS]
        groups += stage_groups(branch.tree[STAGES])
        requests += [(branch, _request(layers, branch, group, space)) for group in groups]
    folders = () if layers.file.is_shipped else (layers.file.folder,)
    answers = check_components([request for _, request in requests], allowed=allowed, folders=folders)
    nodes: dict[tuple[str, str], Mapping[str, Any]] = {}
    metrics: dict[str, Metrics] = {}
    roles: dict[str, Role] = {}
    for (branch, request), answer in zip(requests, answers, strict=True):
        if isinstance(answer, FtsweepError):
            raise _relocated(layers, branch, request.group, answer)
    for (branch, request), answer in zip(requests, answers, strict=True):
        assert isinstance(answer, Checked)
        nodes[branch.name if _is_of_branch(request.group) else "", request.group] = answer.node
        if request.group == "task":
            metrics[branch.name] = _task_metrics(layers, branch, answer)
        elif request.group == "strategy":
            roles[branch.name] = answer.role
    return nodes, metrics, roles


def _shared_groups(layers: Layers) -> list[str]:
    """Keys of the nodes that all branches share; general text is there unless it is null."""
    shared = [group for group in COMPONENT_GROUPS if group not in BRANCH_GROUPS]
    shared += [f"{GUARDS}.{name}" for name in layers.tree[GUARDS]]
    return shared + ([GENERAL] if layers.tree.get(GENERAL) is not None else [])


def _is_of_branch(group: str) -> bool:
    return group in BRANCH_GROUPS or group.startswith(f"{STAGES}.")


def _request(layers: Layers, branch: BranchLayer, group: str, space: Space) -> Request:
    shown = branch if _is_of_branch(group) else None
    node = settings.with_absolute_paths(layers, group, settings.mapping(layers, group, branch), branch)
    if "_target_" not in node:
        kind = "data" if group == GENERAL else group.rpartition(".")[2]
        choice = group if kind == group else f"{kind}@{group}"
        remedy = f"Choose one: {choice}=NAME; `ftsweep list {kind}` names them."
        what = f"the {group} node names no class (`_target_`)"
        raise ConfigError(what, where=layers.where(group, shown), remedy=remedy)
    prefix = f"{group}."
    values = {
        path.removeprefix(prefix): extremes(dimension)
        for path, dimension in space.dimensions.items()
        if path.startswith(prefix)
    }
    return Request(group, node, values)


def _relocated(layers: Layers, branch: BranchLayer, group: str, error: FtsweepError) -> ConfigError:
    """The error with the file or command that set its key, and the branch."""
    key, _, rest = (error.where or group).partition(":")
    if group.startswith(f"{GUARDS}.") and key == group and rest:  # a guard knows its settings, not its own name
        key, rest = f"{group}.{rest.strip()}", ""
    if not key.startswith((group, "space.")):
        key, rest = group, f" {error.where}"
    remedy = _left_over(layers, branch, group, key) if "key does not exist" in error.what else error.remedy
    remedy = remedy or error.remedy
    if layers.has_branches and key.startswith("space."):
        if has_path({"space": branch.own_space}, key):
            remedy = remedy and remedy.replace(f"~{key}", f"~branches.{branch.name}.{key}")
        else:
            remedy = f"{remedy or ''} What not every branch has belongs into the branch: branches.NAME.{key}.".strip()
    place = layers.where(key, branch if _is_of_branch(group) else None)
    return ConfigError(error.what, where=f"{place}:{rest}" if rest else place, remedy=remedy)


def _left_over(layers: Layers, branch: BranchLayer, group: str, key: str) -> str:
    """What to do about a key of the choice over which another `_target_` was written; "" for any other key."""
    said = set(leaves(layers.written))
    for each in (*branch.overrides.assignments, *layers.overrides.assignments):
        said |= leaves(each.value, each.key).keys()
    chosen = (branch.choices if _is_of_branch(group) else layers.choices).items()
    file = {name.partition("@")[2] or name: file for name, (_, file) in chosen}.get(group)
    if f"{group}._target_" not in said or file is None or any(f"{each}.".startswith(f"{key}.") for each in said):
        return ""
    kind = "data" if group == GENERAL else group.rpartition(".")[2]
    choice = group if kind == group else f"{kind}@{group}"
    return (
        f"It is one of {display(file, layers.file)}, over which another `_target_` was written. Put that into a file "
        f"of its own, {kind}/NAME.yaml beside the sweep file, and choose {choice}=NAME; or remove its keys: ~{key}."
    )


def _task_metrics(layers: Layers, branch: BranchLayer, task: Checked) -> Metrics:
    if not task.metrics:
        what = f"{task.node['_target_']} has no `metrics`"
        remedy = "A task derives from ftsweep.tasks.Task."
        raise ConfigError(what, where=layers.where("task", branch), remedy=remedy)
    return task.metrics
