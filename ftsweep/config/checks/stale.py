"""A value that interpolates a sampled key would keep the default's value in every trial: found and refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftsweep.config.grammar import Assignment
from ftsweep.config.layers import BranchLayer, Layers, assign, resolve
from ftsweep.config.schema import TRIAL_NODES
from ftsweep.domain.space import Space
from ftsweep.errors import ConfigError

_PROBE = "ftsweep-probe"


def check_interpolations(branch: BranchLayer, space: Space, layers: Layers) -> None:
    """Refuse interpolations that depend on a dimension: parameters are written in after interpolation.

    Raises:
        ConfigError: naming the dependent key and the dimension.
    """
    nodes = {key: value for key, value in branch.raw.items() if key != "space"}
    if not _interpolates({key: value for key, value in nodes.items() if key in TRIAL_NODES}):
        return
    for path in space.dimensions:
        probed = resolve(assign(nodes, [Assignment(path, _PROBE, path, replaces=True)]), layers.file.label)
        for key in _mentions(probed, ""):
            if key != path:
                what = f"{key} follows {path}, which varies, but it would keep the default's value in every trial"
                remedy = "Give it a value of its own, or a dimension of its own."
                raise ConfigError(what, where=layers.where(key, branch), remedy=remedy)


def _interpolates(node: Any) -> bool:
    if isinstance(node, Mapping):
        return any(_interpolates(value) for value in node.values())
    if isinstance(node, list):
        return any(_interpolates(value) for value in node)
    return isinstance(node, str) and "${" in node


def _mentions(node: Any, place: str) -> Iterator[str]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _mentions(value, f"{place}.{name}" if place else str(name))
    elif isinstance(node, list):
        for value in node:
            yield from _mentions(value, place)
    elif isinstance(node, str) and _PROBE in node:
        yield place
