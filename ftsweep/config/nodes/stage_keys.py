"""The `stages` node: what a trial does before its own training, by name and in order, and which branch does which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftsweep.config.folders import SweepFile
from ftsweep.config.grammar import Overrides
from ftsweep.config.schema import GENERAL, STAGE_GROUPS, STAGES
from ftsweep.errors import ConfigError, suggest

_KEYS = (*STAGE_GROUPS, "training")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TAKEN = ("train", "validation", "test", GENERAL, "best", "importance", "baseline")
"""What a stage may not be called: `<name>/loss` is a metric's key."""

INHERITED = ("precision", "gradient_checkpointing", "compile")
"""Settings of the sweep's own `training` that a stage has too, unless it says otherwise: how, and not what."""


def chosen_stages(tree: Mapping[str, Any], names: Any, file: SweepFile, place: str) -> dict[str, Any]:
    """The tree's stages, or those of these names only (a branch's `stages`), in the order of the tree.

    Raises:
        ConfigError: what is written is no mapping of stages, or a name is not among them.
    """
    nodes = tree.get(STAGES)
    nodes = {} if nodes is None else nodes
    _check_nodes(nodes, file)
    if names is None:
        return dict(nodes)
    for name in names:
        if name not in nodes:
            known = suggest(str(name), nodes) if nodes else "The sweep has none: name them under `stages`."
            raise ConfigError(f"there is no stage {name!r}", where=place, remedy=known)
    return {name: node for name, node in nodes.items() if name in names}


def check_stage_overrides(own: Overrides, stages: Mapping[str, Any], place: str) -> None:
    """Refuse a branch's override of a stage that the branch does not do."""
    for each in own.assignments:
        root, _, rest = each.key.partition(".")
        name = rest.partition(".")[0]
        if root == STAGES and name not in stages:
            what = f"{each.line!r} is about a stage that this branch does not do"
            raise ConfigError(what, where=place, remedy=f"Add {name!r} to the branch's `stages`, or drop the override.")


def check_all_used(stages: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]], file: SweepFile) -> None:
    """Refuse a stage that no branch does."""
    for name in stages:
        if chosen and not any(name in each for each in chosen):
            place = f"{file.label}: {STAGES}.{name}"
            raise ConfigError("no branch does this stage", where=place, remedy="Remove it, or name it in a branch.")


def stage_groups(nodes: Mapping[str, Any]) -> Iterator[str]:
    """The dotted keys of all component nodes of these stages."""
    yield from (f"{STAGES}.{name}.{group}" for name in nodes for group in STAGE_GROUPS)


def _check_nodes(nodes: Any, file: SweepFile) -> None:
    where = f"{file.label}: {STAGES}"
    example = (
        "Write stages: {domain: {training: {...}}}, and choose its parts in `defaults`: data@stages.domain.data: NAME"
    )
    if not isinstance(nodes, Mapping):
        raise ConfigError("stages are a mapping from names to settings", where=where, remedy=example)
    for name, node in nodes.items():
        place = f"{where}.{name}"
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _TAKEN:
            remedy = f"Use small letters, digits and '_', beginning with a letter, and none of {', '.join(_TAKEN)}."
            raise ConfigError(f"{name!r} cannot be a stage's name", where=where, remedy=remedy)
        if not isinstance(node, Mapping):
            raise ConfigError("a stage is a mapping of settings", where=place, remedy=example)
        for key in node:
            if key not in _KEYS:
                raise ConfigError("a stage has no such key", where=f"{place}.{key}", remedy=suggest(str(key), _KEYS))
        for group in STAGE_GROUPS:
            if not isinstance(node.get(group), Mapping):
                remedy = f"Add to the sweep file's `defaults`: {group}@{STAGES}.{name}.{group}: NAME"
                raise ConfigError(f"no {group} is chosen for the stage", where=f"{place}.{group}", remedy=remedy)
