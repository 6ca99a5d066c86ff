"""The `branches` node as written: names, choices, overrides; checked before anything is composed for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftsweep.config.folders import SweepFile
from ftsweep.config.grammar import SEARCH_PATH, GroupChoice, Overrides
from ftsweep.config.schema import BRANCH_GROUPS, BRANCH_PATTERN, COMPONENT_GROUPS, STAGES, TOP_LEVEL_KEYS
from ftsweep.errors import ConfigError, suggest

_BRANCH_KEYS = (*BRANCH_GROUPS, STAGES, "space", "overrides")
_BRANCH_ROOTS = (*BRANCH_GROUPS, "training", STAGES)


def branch_nodes(tree: Mapping[str, Any], file: SweepFile) -> dict[str, Mapping[str, Any]]:
    """Branches by name, empty without any; a name or key that cannot be is refused."""
    nodes = tree.get("branches") or {}
    place = f"{file.label}: branches"
    if not isinstance(nodes, Mapping):
        raise ConfigError("branches are a mapping from names to choices", where=place)
    for name, node in nodes.items():
        if not isinstance(name, str) or not BRANCH_PATTERN.fullmatch(name):
            remedy = "Use up to 100 letters, digits, '_' and '-', beginning with a letter or digit."
            raise ConfigError(f"{name!r} cannot be a branch's name", where=place, remedy=remedy)
        if name in TOP_LEVEL_KEYS:
            raise ConfigError(f"a branch may not be called {name!r}, a node's name", where=place, remedy="Rename it.")
        if not isinstance(node, Mapping):
            remedy = f"Write {name}: {{strategy: lora, space: {{...}}}}."
            raise ConfigError("a branch is a mapping", where=f"{place}.{name}", remedy=remedy)
        _check_branch_node(node, f"{place}.{name}")
    return dict(nodes)


def _check_branch_node(node: Mapping[str, Any], place: str) -> None:
    for key, value in node.items():
        if key in BRANCH_GROUPS and not isinstance(value, str):
            remedy = "Name one choice; single settings go into overrides: [strategy.rank=4]."
            raise ConfigError(f"{value!r} is not a choice of {key}", where=f"{place}.{key}", remedy=remedy)
        if key in COMPONENT_GROUPS and key not in BRANCH_GROUPS:
            remedy = "Choose it once, for the whole sweep."
            raise ConfigError(f"branches share one {key}", where=f"{place}.{key}", remedy=remedy)
        if key not in _BRANCH_KEYS:
            raise ConfigError(
                "a branch has no such key", where=f"{place}.{key}", remedy=suggest(str(key), _BRANCH_KEYS)
            )
    stages = node.get(STAGES, [])
    if not isinstance(stages, list) or not all(isinstance(name, str) for name in stages):
        remedy = "Name those that this branch does, stages: [domain], or [] for none; without the key it does all."
        raise ConfigError(f"{stages!r} is not a list of stages", where=f"{place}.{STAGES}", remedy=remedy)
    lines = node.get("overrides", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        remedy = "Write overrides: [training.epochs=2, strategy.rank=4]."
        raise ConfigError("this must be a list of key=value", where=f"{place}.overrides", remedy=remedy)


def check_branch_overrides(own: Overrides, place: str) -> None:
    """Refuse overrides of one branch that would concern the whole study."""
    for choice in own.choices:
        remedy = f"Write {choice.group}: {choice.choice} in the branch itself."
        raise ConfigError(f"{choice.group}={choice.choice} is a choice, not a setting", where=place, remedy=remedy)
    if own.search_path:
        raise ConfigError(f"{SEARCH_PATH} belongs to the whole sweep", where=place)
    for each in own.assignments:
        if each.key.split(".")[0] not in _BRANCH_ROOTS:
            remedy = f"A branch may set keys of {', '.join(_BRANCH_ROOTS)}; what varies goes into its `space`."
            raise ConfigError(f"{each.line!r} cannot be set for one branch alone", where=place, remedy=remedy)


def check_choices_matter(choices: Sequence[GroupChoice], branches: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a group choice on the command line that every branch overrules: it would be ignored in silence."""
    for each in choices:
        if branches and all(each.group in node for node in branches.values()):
            remedy = f"Change one: branches.{next(iter(branches))}.{each.group}={each.choice}"
            what = f"{each.group}={each.choice} would have no effect, every branch chooses its own {each.group}"
            raise ConfigError(what, where="command line", remedy=remedy)
