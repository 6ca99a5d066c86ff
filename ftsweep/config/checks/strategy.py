"""Whether a strategy can do what its task, its training settings and the search ask of it, together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

from ftsweep.config.build import are_own, build
from ftsweep.config.layers import BranchLayer, Layers
from ftsweep.config.nodes.space import extremes
from ftsweep.config.schema import TrainingSettings
from ftsweep.domain.space import Space
from ftsweep.errors import ConfigError

MAX_COMBINATIONS = 512
"""Strategies that are built to check them; where the space has more, its dimensions are varied one at a time."""

Changes = dict[str, Any]
"""Settings below a node that differ from the ones written."""


def check_strategy(
    layers: Layers, branch: BranchLayer, space: Space, nodes: Mapping[str, Any], place: str = ""
) -> None:
    """Refuse settings that a strategy cannot honour, as written or as the search may combine them.

    `nodes` has `strategy`, `task` and `training`, which stand at `place` ("" or "stages.NAME."). Looks at ftsweep's own
    classes only: a user's may import torch. A worker looks at every trial's.

    Raises:
        ConfigError: naming the key and, where the search makes it, the combination.
    """
    components = (nodes["strategy"], nodes["task"])
    if not are_own(*components):
        return
    values = {
        group: {
            path.removeprefix(f"{place}{group}."): extremes(dimension)
            for path, dimension in space.dimensions.items()
            if path.startswith(f"{place}{group}.")
        }
        for group in ("strategy", "task", "training")
    }
    _check_training_matters(layers, branch, nodes["strategy"], values["training"], place)
    tasks = [(changes, build(_changed(nodes["task"], changes))) for changes in _one_by_one(values["task"])]
    trainings = [
        (changes, TrainingSettings(**{**nodes["training"], **changes})) for changes in _one_by_one(values["training"])
    ]
    for changes in _all_combinations(values["strategy"]):
        strategy: Any = None
        for (with_task, task), (with_training, training) in product(tasks, trainings):
            try:
                strategy = strategy or build(_changed(nodes["strategy"], changes))
                strategy.check_task(task)
                strategy.check_training(task, training)
            except ConfigError as error:
                changed = {"strategy": changes, "task": with_task, "training": with_training}
                raise _placed(layers, branch, error, place, changed) from None


def _check_training_matters(
    layers: Layers, branch: BranchLayer, strategy: Mapping[str, Any], values: Mapping[str, Any], place: str
) -> None:
    """Refuse to search training settings of a strategy that trains nothing: trials would differ in name only."""
    vain = [key for key in values if key != "precision"]
    if vain and not build(strategy).trains:
        raise ConfigError(
            "this strategy trains nothing, so the setting would change nothing",
            where=layers.where(f"space.{place}training.{vain[0]}", branch),
            remedy="Search it in the branches that train.",
        )


def _changed(node: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """The node with these values; a dotted key leads into a nested component."""
    result = dict(node)
    for key, value in changes.items():
        first, _, rest = key.partition(".")
        result[first] = _changed(result[first], {rest: value}) if rest else value
    return result


def _one_by_one(values: Mapping[str, Any]) -> Iterator[Changes]:
    yield {}
    yield from ({key: value} for key, choices in values.items() for value in choices)


def _all_combinations(values: Mapping[str, Any]) -> Iterator[Changes]:
    if prod(len(choices) for choices in values.values()) > MAX_COMBINATIONS:
        yield from _one_by_one(values)
        return
    yield {}
    if values:
        yield from (dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


def _placed(
    layers: Layers, branch: BranchLayer, error: ConfigError, place: str, changed: Mapping[str, Changes]
) -> ConfigError:
    """The error at the key that it is about, in the space where the search makes it."""
    key = (error.where or "strategy").partition(":")[0]
    group, _, name = key.partition(".")
    paths = {f"{place}{node}.{path}": value for node, changes in changed.items() for path, value in changes.items()}
    if not paths:
        return ConfigError(error.what, where=layers.where(f"{place}{key}", branch), remedy=error.remedy)
    own = f"{place}{group}.{name}"
    where = layers.where(f"space.{own if own in paths else next(iter(paths))}", branch)
    settings = ", ".join(f"{path}={value}" for path, value in paths.items())
    remedy = f"{error.remedy} What does not go together can be searched in branches of its own."
    return ConfigError(f"the search may combine {settings}, but {error.what}", where=where, remedy=remedy)
