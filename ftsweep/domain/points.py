"""Spaces of finitely many points: how many, and which is the i-th."""

from __future__ import annotations

import math
from typing import Any

from ftsweep.domain.space import Choice, Dimension, FloatInterval, IntInterval, Space


def num_values(dimension: Dimension) -> int | None:
    """How many values a dimension has; None for a continuous one."""
    match dimension:
        case Choice():
            return len(dimension.values)
        case IntInterval():
            return (dimension.high - dimension.low) // dimension.step + 1
        case FloatInterval(step=None):
            return 1 if dimension.low == dimension.high else None
        case FloatInterval(step=step):
            assert step is not None
            return math.floor((dimension.high - dimension.low) / step + 1e-9) + 1


def num_points(space: Space) -> int | None:
    """How many settings a space has; None when a dimension is continuous. An empty space has one: nothing varies."""
    total = 1
    for dimension in space.dimensions.values():
        count = num_values(dimension)
        if count is None:
            return None
        total *= count
    return total


def point(space: Space, index: int) -> dict[str, Any]:
    """The `index`-th setting of a finite space, by dotted path; the last dimension varies fastest."""
    values: dict[str, Any] = {}
    for path, dimension in reversed(list(space.dimensions.items())):
        count = num_values(dimension)
        assert count is not None, f"{path} is continuous"
        index, place = divmod(index, count)
        values[path] = _value(dimension, place)
    return {path: values[path] for path in space.dimensions}


def _value(dimension: Dimension, place: int) -> Any:
    match dimension:
        case Choice():
            return dimension.values[place]
        case IntInterval():
            return dimension.low + place * dimension.step
        case FloatInterval():
            # Optuna's own arithmetic for stepped floats, so that equal settings are equal numbers.
            return dimension.low + place * (dimension.step or 0.0)
