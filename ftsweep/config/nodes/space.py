"""The `space` tree of a sweep file, read into dimensions by dotted config path."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftsweep.config.schema import SPACE_NODES, STAGES
from ftsweep.domain.space import Choice, Dimension, FloatInterval, IntInterval, Space
from ftsweep.errors import ConfigError, suggest

_INTERVAL_KEYS = ("low", "high", "log", "step")
_BASE_KEYS = ("model.name", "model.path", "model.revision")

_WHY_FIXED = {
    "seed": "a seed is never sampled: it would choose by luck",
    "data": "trials on different data cannot be compared",
    "general": "trials on different text cannot be compared",
    "objective": "trials are compared by one objective",
    "rungs": "trials are compared at equal rungs",
}


def parse_space(tree: Any, *, where: str = "space") -> Space:
    """Dimensions in the order of the file.

    Raises:
        ConfigError: naming the key and what is wrong with it: bounds, steps, empty or repeated choices, a key that
            may not vary.
    """
    if tree is None:
        return Space()
    if not isinstance(tree, Mapping):
        raise ConfigError("the space is a tree of settings", where=where, remedy="See docs: space: {training: {...}}.")
    dimensions = {}
    for path, value in _leaves(tree, "", where):
        _check_root(path, where)
        dimensions[path] = _dimension(value, f"{where}.{path}")
    return Space(dimensions)


def extremes(dimension: Dimension) -> Sequence[Any]:
    """Values that stand for all of a dimension when a type is checked: every choice, both ends of an interval."""
    return dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)


def as_tree(space: Space) -> dict[str, Any]:
    """The space as a sweep file spells it; reading it again gives the same space."""
    tree: dict[str, Any] = {}
    for path, dimension in space.dimensions.items():
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        if isinstance(dimension, Choice):
            node[leaf] = list(dimension.values)
            continue
        node[leaf] = {"low": dimension.low, "high": dimension.high}
        if dimension.log:
            node[leaf]["log"] = True
        if dimension.step not in (None, 1) or (dimension.step == 1 and isinstance(dimension, FloatInterval)):
            node[leaf]["step"] = dimension.step
    return tree


def _leaves(tree: Mapping[str, Any], prefix: str, where: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if not isinstance(key, str) or not key or "." in key:
            remedy = "Mirror the tree: space: {training: {learning_rate: ...}}."
            raise ConfigError(f"{key!r} is no key of the configuration", where=where, remedy=remedy)
        if isinstance(value, Mapping) and not (prefix and any(each in value for each in _INTERVAL_KEYS)):
            if not value and prefix:
                raise ConfigError("this dimension is empty", where=f"{where}.{path}", remedy="Give it values.")
            yield from _leaves(value, f"{path}.", where)
        else:
            yield path, value


def _check_root(path: str, where: str) -> None:
    root, _, rest = path.partition(".")
    place = f"{where}.{path}"
    if root not in SPACE_NODES:
        why = _WHY_FIXED.get(root, f"{root!r} cannot vary between trials")
        raise ConfigError(why, where=place, remedy=f"These may vary: {', '.join(SPACE_NODES)}. {_near(root)}".strip())
    if not rest:
        remedy = f"Compare whole choices with `branches`: branches: {{a: {{{root}: ...}}, b: {{{root}: ...}}}}."
        raise ConfigError(f"a choice of {root!r} is not a dimension", where=place, remedy=remedy)
    if root == STAGES and rest.split(".")[1:2] not in (["task"], ["strategy"], ["training"]):
        remedy = "Write space: {stages: {NAME: {training: {...}}}}; task and strategy of a stage may vary too."
        raise ConfigError("this cannot vary between trials", where=place, remedy=remedy)
    if path in _BASE_KEYS:
        remedy = "Give each base model a branch: branches: {a: {model: ...}, b: {model: ...}}."
        raise ConfigError("the base model cannot vary within a branch, it has one baseline", where=place, remedy=remedy)
    if path.endswith("_target_"):
        raise ConfigError("a class is not a dimension", where=place, remedy="Compare classes with `branches`.")


def _near(root: str) -> str:
    hint = suggest(root, SPACE_NODES)
    return hint if hint.startswith("Did you mean") else ""


def _dimension(value: Any, place: str) -> Dimension:
    if isinstance(value, list | tuple):
        return _choice(list(value), place)
    if isinstance(value, Mapping):
        return _interval(value, place)
    key = place.partition(".")[2]
    remedy = f"Write a list or {{low: ..., high: ...}}; a fixed value is set as {key}={value}."
    raise ConfigError(f"{value!r} is not a dimension", where=place, remedy=remedy)


def _choice(values: list[Any], place: str) -> Choice:
    if not values:
        raise ConfigError("the list of choices is empty", where=place, remedy="Name at least one value.")
    for index, value in enumerate(values):
        if Choice(tuple(values[:index])).contains(value):
            raise ConfigError(f"the choice {value!r} is there twice", where=place, remedy="Name each value once.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{value!r} is not a number to train with", where=place, remedy="Remove it.")
    return Choice(tuple(values))


def _interval(node: Mapping[str, Any], place: str) -> Dimension:
    for key in node:
        if key not in _INTERVAL_KEYS:
            raise ConfigError(f"an interval has no {key!r}", where=place, remedy=suggest(str(key), _INTERVAL_KEYS))
    for key in ("low", "high"):
        if key not in node:
            raise ConfigError(f"the interval lacks {key!r}", where=place, remedy="Write {low: ..., high: ...}.")
        _check_number(node[key], f"{place}.{key}")
    low, high, log, step = node["low"], node["high"], node.get("log", False), node.get("step")
    if not isinstance(log, bool):
        raise ConfigError(f"{log!r} is neither true nor false", where=f"{place}.log", remedy="Write log: true.")
    if low > high:
        raise ConfigError(f"low ({low:g}) is above high ({high:g})", where=place, remedy="Exchange them.")
    if log and low <= 0:
        raise ConfigError(f"a logarithmic interval cannot begin at {low:g}", where=place, remedy="Choose low above 0.")
    if log and step is not None:
        raise ConfigError("log and step exclude each other", where=place, remedy="Remove one, or write a list.")
    if step is not None:
        _check_step(low, high, step, place)
    if isinstance(low, int) and isinstance(high, int):
        return IntInterval(low, high, log=log, step=1 if step is None else step)
    return FloatInterval(float(low), float(high), log=log, step=None if step is None else float(step))


def _check_number(value: Any, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{value!r} is not a finite number", where=place, remedy="Write a number such as 8 or 1e-4.")


def _check_step(low: float, high: float, step: Any, place: str) -> None:
    _check_number(step, f"{place}.step")
    if step <= 0:
        raise ConfigError(f"a step of {step:g} leads nowhere", where=f"{place}.step", remedy="Choose it above 0.")
    if isinstance(low, int) and isinstance(high, int) and not isinstance(step, int):
        remedy = f"Write low: {low:.1f} if real numbers are meant."
        raise ConfigError(f"whole numbers need a whole step, not {step:g}", where=f"{place}.step", remedy=remedy)
    count = (high - low) / step
    if not math.isfinite(count):
        raise ConfigError(f"a step of {step:g} is too small", where=f"{place}.step", remedy="Choose a larger one.")
    if not math.isclose(count, round(count), abs_tol=1e-9):
        reached = low + math.floor(count) * step
        what = f"steps of {step:g} from {low:g} do not reach {high:g}"
        raise ConfigError(what, where=place, remedy=f"Both bounds are included: write high: {reached:g}.")
