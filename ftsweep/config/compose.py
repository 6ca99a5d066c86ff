"""From a sweep file and a command line to a checked `SweepConfig`: everything that can be refused is refused here."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ftsweep.config.checks.comparable import check_comparable
from ftsweep.config.checks.components import CONTROL_GROUPS
from ftsweep.config.checks.forgetting import check_forgetting
from ftsweep.config.checks.generation import check_generation
from ftsweep.config.checks.stale import check_interpolations
from ftsweep.config.checks.strategy import check_strategy
from ftsweep.config.explain import Explained, explain
from ftsweep.config.folders import list_group
from ftsweep.config.layers import BranchLayer, Layers, missing_keys, read_layers, resolve
from ftsweep.config.nodes import core as settings
from ftsweep.config.nodes.components import checked_components
from ftsweep.config.nodes.space import as_tree, parse_space
from ftsweep.config.nodes.stages import branch_stages, check_stages
from ftsweep.config.path_values import with_absolute_paths
from ftsweep.config.schema import (
    BRANCH_GROUPS,
    COMPONENT_GROUPS,
    GENERAL,
    GUARDS,
    STAGES,
    TOP_LEVEL_KEYS,
    Budget,
    RungSettings,
    SeedSettings,
    SelectionSettings,
    SweepConfig,
)
from ftsweep.domain.points import num_points
from ftsweep.domain.space import Branch, Space
from ftsweep.domain.spelling import plural
from ftsweep.errors import ConfigError, suggest

SHARED_GROUPS = tuple(group for group in COMPONENT_GROUPS if group not in BRANCH_GROUPS)
"""Groups that all branches of a sweep share."""


def compose_sweep(sweep: str, overrides: Sequence[str] = ()) -> SweepConfig:
    """The sweep as it will run: composed, resolved, checked.

    `sweep` is the path of a sweep file (anything with `.yaml` or a slash) or the name of a shipped one. Groups and
    Python modules beside the sweep file are found, and win over shipped ones.

    Raises:
        ConfigError: the first fault, with its key, where it was set, and what to do about it.
    """
    return check_layers(read_layers(sweep, overrides))


def explain_sweep(sweep: str, overrides: Sequence[str] = ()) -> Explained:
    """The composed sweep as text, and the file that each choice came from; checked like `compose_sweep`."""
    layers = read_layers(sweep, overrides)
    return explain(layers, check_layers(layers).composed)


def check_layers(layers: Layers) -> SweepConfig:
    """Check composed layers whole and freeze them."""
    _check_top_level(layers)
    allowed = _allowed_packages(layers)
    spaces = [_space(layers, branch) for branch in layers.branches]
    training = [settings.training_node(layers, *pair) for pair in zip(layers.branches, spaces, strict=True)]
    nodes, metrics, roles = checked_components(layers, spaces, allowed)
    stages = [branch_stages(layers, *pair, nodes) for pair in zip(layers.branches, spaces, strict=True)]
    budget = settings.core_node(layers, "budget", Budget)
    objective = settings.objective(layers, metrics)
    seed = settings.core_node(layers, "seed", SeedSettings)
    rungs = settings.core_node(layers, "rungs", RungSettings)
    selection = settings.core_node(layers, "selection", SelectionSettings)
    same = {"rungs": settings.as_node(rungs), "objective": objective.to_dict(), "seed": settings.as_node(seed)}
    branches = []
    for branch, space, trained, before in zip(layers.branches, spaces, training, stages, strict=True):
        config = _branch_config(layers, branch, nodes, before, trained, same)
        check_interpolations(branch, space, layers)
        check_strategy(layers, branch, space, config)
        check_stages(layers, branch, space, config)
        check_forgetting(layers, branch, config)
        check_generation(layers, branch, space, config)
        branches.append(Branch(branch.name, config, space, roles[branch.name]))
    check_comparable(layers, objective, branches)
    _check_space_size(layers, branches, budget.trials)
    shared = {group: nodes["", group] for group in SHARED_GROUPS}
    study = settings.study_settings(layers, branches, budget.trials, objective)
    store = settings.store_settings(layers)
    return SweepConfig(
        study=study,
        store=store,
        budget=budget,
        seed=seed,
        rungs=rungs,
        objective=objective,
        selection=selection,
        branches=tuple(branches),
        executor=shared["executor"],
        sampler=shared["sampler"],
        pruner=shared["pruner"],
        recording=shared["recording"],
        report=shared["report"],
        allowed_packages=allowed,
        search_folders=() if layers.file.is_shipped else (layers.file.folder,),
        sweep_file=layers.file.path.stem if layers.file.is_shipped else str(layers.file.path),
        overrides=with_absolute_paths(layers.lines, [branch.config for branch in branches]),
        composed=_composed(layers, study, store, budget, selection, shared, branches, allowed),
    )


def _branch_config(
    layers: Layers,
    branch: BranchLayer,
    nodes: Mapping[tuple[str, str], Mapping[str, Any]],
    stages: Mapping[str, Any],
    training: Mapping[str, Any],
    same: Mapping[str, Any],
) -> dict[str, Any]:
    """A branch's whole configuration, in the order of a spec; `same` is what all branches have as it is."""
    return {
        "model": nodes[branch.name, "model"],
        STAGES: stages,
        "data": nodes["", "data"],
        GENERAL: nodes.get(("", GENERAL)),
        "task": nodes[branch.name, "task"],
        "strategy": nodes[branch.name, "strategy"],
        "training": training,
        **same,
        GUARDS: {name: nodes["", f"{GUARDS}.{name}"] for name in layers.tree[GUARDS]},
    }


def _check_top_level(layers: Layers) -> None:
    for tree, branch in [(layers.tree, None), *((each.tree, each) for each in layers.branches if each.name)]:
        for key in tree:
            if key not in TOP_LEVEL_KEYS:
                place = layers.where(str(key), branch)
                raise ConfigError("this key does not exist", where=place, remedy=suggest(str(key), TOP_LEVEL_KEYS))
    for branch in layers.branches:
        for group in COMPONENT_GROUPS:
            if branch.tree.get(group) is None:
                _refuse_missing_group(layers, branch, group)
        for key in missing_keys({name: node for name, node in branch.tree.items() if name != "branches"}):
            remedy = f"Give it in the sweep file, or on the command line: {key}=..."
            raise ConfigError("this must be given", where=layers.where(key, branch), remedy=remedy)


def _refuse_missing_group(layers: Layers, branch: BranchLayer, group: str) -> None:
    if group in CONTROL_GROUPS:
        remedy = "Add `base`, which chooses it, to the sweep file's defaults: [base, ...]"
    else:
        names = ", ".join(entry["name"] for entry in list_group(group, beside=layers.file.folder))
        remedy = f"Add `{group}: NAME` to the sweep file's defaults, or {group}=NAME to the command. Known: {names}."
    what = f"{branch.describe()}no {group} is chosen"
    raise ConfigError(what, where=layers.file.label, remedy=remedy)


def _allowed_packages(layers: Layers) -> tuple[str, ...]:
    packages = layers.tree.get("allow") or []
    place = layers.where("allow")
    if not isinstance(packages, list) or not all(isinstance(name, str) for name in packages):
        raise ConfigError("this must be a list of package names", where=place, remedy="Write allow: [my_package].")
    for name in packages:
        if not all(part.isidentifier() and not part.startswith("_") for part in name.split(".")):
            raise ConfigError(f"{name!r} is not a package's name", where=place, remedy="Write allow: [my_package].")
        if name.partition(".")[0] in sys.stdlib_module_names:
            what = f"{name!r} belongs to Python itself and has no components"
            raise ConfigError(what, where=place, remedy="Allow the package with your own classes.")
    return tuple(dict.fromkeys(packages))


def _space(layers: Layers, branch: BranchLayer) -> Space:
    """The common space with the branch's own merged over it."""
    try:
        common = parse_space(branch.tree.get("space"))
    except ConfigError as error:
        key = (error.where or "space").split(" ")[0]
        raise ConfigError(error.what, where=layers.where(key), remedy=error.remedy) from None
    where = f"branches.{branch.name}.space"
    try:
        own = parse_space(resolve({"space": branch.own_space}, layers.file.label)["space"], where=where)
    except ConfigError as error:
        raise ConfigError(error.what, where=layers.where(error.where or where), remedy=error.remedy) from None
    return Space({**common.dimensions, **own.dimensions})


def _check_space_size(layers: Layers, branches: Sequence[Branch], num_trials: int) -> None:
    if num_trials <= len(branches) or any(num_points(branch.space) != 1 for branch in branches):
        return
    what = f"nothing varies, so {num_trials} trials would repeat {plural(len(branches), 'setting')}"
    remedy = f"Name what may vary under `space`, or set budget.trials={len(branches)}."
    raise ConfigError(what, where=layers.where("space"), remedy=remedy)


def _composed(
    layers: Layers,
    study: Any,
    store: Any,
    budget: Any,
    selection: Any,
    shared: Mapping[str, Mapping[str, Any]],
    branches: Sequence[Branch],
    allowed: Sequence[str],
) -> dict[str, Any]:
    """The tree that `ftsweep show` prints: complete, in reading order."""
    enqueued = [dict(entry) for entry in study.enqueue]
    tree: dict[str, Any] = {
        "study": {**settings.as_node(study), "enqueue": enqueued},
        "store": settings.as_node(store),
        "budget": settings.as_node(budget),
        "selection": settings.as_node(selection),
    }
    config = branches[0].config
    tree |= {name: config[name] for name in ("objective", "seed", "rungs", "data", GENERAL)}
    per_branch = ("model", STAGES, "task", "strategy", "training")
    if layers.has_branches:
        tree["branches"] = {
            each.name: {**{name: each.config[name] for name in per_branch}, "space": as_tree(each.space)}
            for each in branches
        }
    else:
        tree |= {name: config[name] for name in per_branch}
        tree["space"] = as_tree(branches[0].space)
    tree |= {group: dict(node) for group, node in shared.items() if group != "data"}
    tree[GUARDS] = config[GUARDS]
    return tree | ({"allow": list(allowed)} if allowed else {})
