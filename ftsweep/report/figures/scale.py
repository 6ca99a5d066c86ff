"""Where a parameter's value lies on an axis of length one, and which ticks the axis shows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ftsweep.domain.space import Choice, Dimension, IntInterval
from ftsweep.domain.spelling import number, param


@dataclass(frozen=True)
class Axis:
    """`low` and `high` are in the axis's own measure: logarithms for a log axis, indices for a choice."""

    label: str
    kind: str  # linear, log, choice
    low: float
    high: float
    choices: tuple[str, ...] = ()
    ticks: tuple[tuple[float, str], ...] = ()
    """(position between 0 and 1, text)."""

    def position(self, value: Any) -> float | None:
        """Between 0 and 1; None when the value is missing or cannot stand on this axis."""
        if self.kind == "choice":
            text = param(value)
            return self._at(self.choices.index(text)) if text in self.choices else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        if self.kind == "log":
            return self._at(math.log10(value)) if value > 0 else None
        return self._at(value)

    def _at(self, measure: float) -> float:
        if self.high == self.low:
            return 0.5
        return min(1.0, max(0.0, (measure - self.low) / (self.high - self.low)))


def axis_of(label: str, dimension: Dimension, values: Iterable[Any]) -> Axis:
    """The axis of a declared dimension, wide enough for the values that there are (an enqueued one may lie outside)."""
    known = [value for value in values if value is not None]
    if isinstance(dimension, Choice) or not all(_is_number(value) for value in known):
        declared = dimension.values if isinstance(dimension, Choice) else ()
        return _choice_axis(label, [*declared, *known])
    low, high = min([dimension.low, *known]), max([dimension.high, *known])
    if dimension.log and low > 0:
        axis = Axis(label, "log", math.log10(low), math.log10(high))
        return _with_ticks(axis, _log_ticks(low, high), lambda value: param(float(value)))
    axis = Axis(label, "linear", low, high)
    return _with_ticks(axis, _linear_ticks(low, high, whole=isinstance(dimension, IntInterval)), number)


def value_axis(label: str, low: float, high: float) -> Axis:
    """A linear axis for the objective; values outside are drawn at its ends."""
    return _with_ticks(Axis(label, "linear", low, high), _linear_ticks(low, high, whole=False), number)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _choice_axis(label: str, values: list[Any]) -> Axis:
    if all(_is_number(value) for value in values):
        values = sorted(values)
    texts = tuple(dict.fromkeys(param(value) for value in values))
    axis = Axis(label, "choice", 0, len(texts) - 1, texts)
    ticks = tuple((axis._at(index), text) for index, text in enumerate(texts))
    return Axis(label, "choice", 0, len(texts) - 1, texts, ticks)


def _with_ticks(axis: Axis, values: Iterable[float], words: Any) -> Axis:
    ticks = tuple((position, words(value)) for value in values if (position := axis.position(value)) is not None)
    return Axis(axis.label, axis.kind, axis.low, axis.high, axis.choices, ticks)


def _log_ticks(low: float, high: float) -> list[float]:
    """The bounds, and between them 1, 2 and 5 of every decade, or powers of ten alone when those are many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(decades) <= 4 else (1,)
    inner = [step * 10.0**decade for decade in decades for step in steps]
    reach = (math.log10(high) - math.log10(low)) or 1.0
    near = 0.06 * reach  # nearer to a bound than this, the two labels would overlap
    kept = [tick for tick in inner if min(math.log10(tick / low), math.log10(high / tick)) > near]
    return [low, *kept, high] if high > low else [low]


def _linear_ticks(low: float, high: float, *, whole: bool) -> list[float]:
    if high == low:
        return [low]
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    if whole:
        step = max(1.0, math.ceil(step))
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return [round((first + index) * step, 12) for index in range(count)]
