"""A curve as one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"
"""Where a value is not finite."""


def sparkline(values: Sequence[float], *, low: float, high: float) -> str:
    """A bar for each value, the lowest one at `low` and the highest at `high`."""
    span = high - low
    return "".join(
        GAP
        if not math.isfinite(value)
        else BARS[min(len(BARS) - 1, max(0, math.floor((value - low) / span * len(BARS))))]
        if span > 0
        else BARS[0]
        for value in values
    )
