"""Cells that several tables have: numbers, counts, times and intervals as a reader sees them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ftsweep.domain.scores import Interval
from ftsweep.domain.spelling import NOTHING, number, param
from ftsweep.report.tables.table import Cell
from ftsweep.report.wording import seconds


def words(text: object) -> Cell:
    return Cell(str(text), str(text))


def figure(value: float | None, *, digits: int = 4) -> Cell:
    """A number to so many significant digits; a dash where nothing was measured."""
    is_known = value is not None and not math.isnan(value)
    return Cell(number(value, digits=digits), value if is_known else None)


def count(value: int | None) -> Cell:
    return Cell(NOTHING if value is None else f"{value:,}", value)


def time_taken(value: float | None) -> Cell:
    return Cell(NOTHING if value is None else seconds(value), value)


def setting(value: object) -> Cell:
    """A parameter's value: numbers short, anything else as it is spelled in YAML."""
    is_as_it_is = isinstance(value, int | float | str) and not isinstance(value, bool)
    return Cell(param(value), value if is_as_it_is else param(value))


def interval(found: Interval | None) -> Cell:
    """The ends of a 95 % interval."""
    return Cell(NOTHING if found is None else f"{number(found.low)} .. {number(found.high)}")


def scores(values: Mapping[str, float], names: list[str]) -> list[Cell]:
    """The named scores; a dash for one that is not there."""
    return [figure(values.get(name)) for name in names]
