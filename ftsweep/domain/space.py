"""The part of a configuration that may vary: dimensions by dotted config path, and the branches they belong to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftsweep.domain.role import Role
from ftsweep.domain.spelling import number, param

Params = Mapping[str, Any]
"""Sampled values by parameter name, as the study, MLflow and the reports spell it."""


UNNAMED = "main"
"""The label of the one branch of a sweep without branches."""


@dataclass(frozen=True)
class Choice:
    """One of a few values; a value may be any JSON value."""

    values: tuple[Any, ...]

    def contains(self, value: Any) -> bool:
        return any(_are_equal(value, known) for known in self.values)

    def key(self, value: Any) -> int:
        """The value's place. As in the other dimensions: equal for equal values, whatever type they came with."""
        for place, known in enumerate(self.values):
            if _are_equal(value, known):
                return place
        raise ValueError(f"{value!r} is none of the choices {self}")

    def normal(self, value: Any) -> Any:
        """The value as a trial has it; so in the other dimensions."""
        return self.values[self.key(value)]

    def __str__(self) -> str:
        return "{" + ", ".join(param(value, digits=6) for value in self.values) + "}"


@dataclass(frozen=True)
class IntInterval:
    """Whole numbers from `low` to `high`, both included."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def contains(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            return False
        return self.low <= value <= self.high and (int(value) - self.low) % self.step == 0

    def key(self, value: Any) -> int:
        return int(value)

    def normal(self, value: Any) -> int:
        return int(value)

    def __str__(self) -> str:
        return _interval_text(self.low, self.high, self.log, self.step if self.step != 1 else None)


@dataclass(frozen=True)
class FloatInterval:
    """Real numbers from `low` to `high`, both included."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def contains(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return math.isclose(steps, round(steps), abs_tol=1e-9)

    def key(self, value: Any) -> str:
        return f"{float(value):.12g}"

    def normal(self, value: Any) -> float:
        return float(value)

    def __str__(self) -> str:
        return _interval_text(self.low, self.high, self.log, self.step)


Dimension = Choice | IntInterval | FloatInterval


@dataclass(frozen=True)
class Space:
    """Dimensions by dotted config path (`training.learning_rate`), in the order of the sweep file."""

    dimensions: Mapping[str, Dimension] = field(default_factory=dict)

    def contains(self, values: Mapping[str, Any]) -> bool:
        """Whether `values` gives every dimension a value inside it."""
        return all(name in values and dimension.contains(values[name]) for name, dimension in self.dimensions.items())


@dataclass(frozen=True)
class Branch:
    """One whole approach: its composed configuration and its own space.

    `name` is "" when the sweep has no branches. Parameter names carry the branch's name as prefix, so that the
    learning rate of one approach never mixes with that of another.
    """

    name: str
    config: Mapping[str, Any]
    space: Space
    role: Role = field(default_factory=Role)
    """That of its strategy."""

    @property
    def label(self) -> str:
        return self.name or UNNAMED

    def param_name(self, path: str) -> str:
        """The parameter name of a dotted config path: `lora.training.learning_rate` in branch `lora`."""
        return f"{self.name}.{path}" if self.name else path

    def default_params(self) -> dict[str, Any]:
        """The values that the configuration as written has at the space's paths, by parameter name."""
        return {self.param_name(path): value_at(self.config, path) for path in self.space.dimensions}

    def has_default_in_space(self) -> bool:
        return self.space.contains({path: value_at(self.config, path) for path in self.space.dimensions})

    def key(self, params: Params) -> tuple[Any, ...]:
        """The setting's identity: equal for equal settings of this branch."""
        by_path = self.space.dimensions.items()
        return (self.name, *(dimension.key(params[self.param_name(path)]) for path, dimension in by_path))

    def config_with(self, params: Params) -> dict[str, Any]:
        """The whole configuration of a trial: this branch's, with `params` written in. The original is not touched."""
        config: dict[str, Any] = _copy_tree(self.config)
        for path in self.space.dimensions:
            *parents, leaf = path.split(".")
            node = config
            for parent in parents:
                node = node[parent]
            node[leaf] = params[self.param_name(path)]
        return config


def value_at(config: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; KeyError when the configuration has none."""
    node: Any = config
    for part in path.split("."):
        node = node[part]
    return node


def leaves(node: Any, place: str = "") -> dict[str, Any]:
    """The values of a tree of settings by their dotted paths; an empty part is a value."""
    if not isinstance(node, Mapping) or not node:
        return {place: node}
    found: dict[str, Any] = {}
    for key, value in node.items():
        found |= leaves(value, f"{place}.{key}" if place else str(key))
    return found


def _copy_tree(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _copy_tree(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_copy_tree(value) for value in node]
    return node


def _are_equal(left: Any, right: Any) -> bool:
    """Equality that tells True from 1, but not 8 from 8.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _interval_text(low: float, high: float, log: bool, step: float | None) -> str:
    extra = (", log" if log else "") + (f", step {number(step, digits=6)}" if step else "")
    return f"[{number(low, digits=6)} .. {number(high, digits=6)}{extra}]"
