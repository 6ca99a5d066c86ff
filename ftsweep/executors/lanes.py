"""The setting `lanes` of an executor: a number of trials that one worker trains at once, or `auto`."""

from __future__ import annotations

from ftsweep.errors import ConfigError
from ftsweep.executors.sharing import AUTO, Auto

MAX_LANES = 64

Lanes = int | Auto


def checked_lanes(lanes: Lanes) -> Lanes:
    """What was given. Raises ConfigError when it is no number of lanes, nor `auto`."""
    is_number = isinstance(lanes, int) and not isinstance(lanes, bool) and 1 <= lanes <= MAX_LANES
    if lanes != AUTO and not is_number:
        remedy = f"Give 1 to {MAX_LANES}, or {AUTO}."
        raise ConfigError(f"{lanes!r} is not a number of lanes", where="executor.lanes", remedy=remedy)
    return lanes


def first_lanes(lanes: Lanes) -> int:
    """The number to begin with: one until it is measured."""
    return lanes if isinstance(lanes, int) else 1
