"""Whether a value lies at the edge of its range, and what range would be wider."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ftsweep.domain.commands import quoted_command
from ftsweep.domain.space import Dimension, FloatInterval, IntInterval

NEAR = 0.1  # of the range, on its own scale
WIDER = 3.0  # times the bound, on a logarithmic scale
_FRACTIONS = ("warmup", "replay", "dropout", "rate_decay", "label_smoothing", "threshold", "masked_share")
"""Keys whose values end at 1: beyond it a setting refuses them."""
_MOST = 0.95


@dataclass(frozen=True)
class Edge:
    """A value near one end of a range. `position` is 0 at its lower end and 1 at its upper, on its own scale."""

    end: Literal["lower", "upper"]
    position: float
    bound: float
    """What the bound could be instead."""

    def override(self, path: str, branch: str, dimension: Dimension) -> str:
        """The range with the wider bound, as the command line takes it; a branch's own must be given whole."""
        key, bound = "low" if self.end == "lower" else "high", f"{self.bound:g}"
        if not branch:
            return f"space.{path}.{key}={bound}"
        assert isinstance(dimension, FloatInterval | IntInterval)
        ends = {"low": f"{dimension.low:g}", "high": f"{dimension.high:g}", key: bound}
        more = (",log:true" if dimension.log else "") + (f",step:{dimension.step:g}" if _has_step(dimension) else "")
        return quoted_command(f"branches.{branch}.space.{path}={{low:{ends['low']},high:{ends['high']}{more}}}")


def edge_of(path: str, dimension: Dimension, value: Any) -> Edge | None:
    """The edge at which a value lies; None in the middle, in a choice, and where no wider range makes sense."""
    if not isinstance(dimension, FloatInterval | IntInterval) or dimension.low >= dimension.high:
        return None
    low, high, at = float(dimension.low), float(dimension.high), float(value)
    position = (
        (math.log(at) - math.log(low)) / (math.log(high) - math.log(low))
        if dimension.log
        else (at - low) / (high - low)
    )
    if NEAR < position < 1 - NEAR:
        return None
    end: Literal["lower", "upper"] = "lower" if position <= NEAR else "upper"
    bound = _wider(dimension, end)
    if bound is not None and end == "upper" and path.rpartition(".")[2] in _FRACTIONS:
        most = _MOST
        if dimension.step is not None:  # the last value that steps reach below 1
            most = dimension.low + dimension.step * (math.ceil((1 - dimension.low) / dimension.step - 1e-9) - 1)
        bound = min(bound, float(f"{most:.12g}")) if high < most - 1e-9 else None
    return None if bound is None else Edge(end, position, bound)


def _wider(dimension: FloatInterval | IntInterval, end: str) -> float | None:
    """A third of the bound or three times it; without a logarithmic scale half of the width more. None: there is none.

    Positive bounds stay positive, whole numbers whole.
    """
    low, high = float(dimension.low), float(dimension.high)
    if end == "upper":
        bound = high * WIDER if dimension.log else high + (high - low) / 2
    elif low <= 0:
        return None
    else:
        bound = low / WIDER if dimension.log else max(low - (high - low) / 2, low / 2)
    if _has_step(dimension):
        step = float(dimension.step or 1)
        num_steps = max(1, round(abs(bound - (high if end == "upper" else low)) / step))
        moved = high + num_steps * step if end == "upper" else low - num_steps * step
        return moved if moved > 0 else None
    if isinstance(dimension, IntInterval):
        bound = math.ceil(bound) if end == "upper" else max(1, math.floor(bound))
        return None if bound == (high if end == "upper" else low) else bound
    return float(f"{bound:.2g}")


def _has_step(dimension: FloatInterval | IntInterval) -> bool:
    return dimension.step not in (None, 1)
