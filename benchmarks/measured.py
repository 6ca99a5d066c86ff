"""What a benchmark hands back: numbers with their spread, and whether they reach what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Result:
    """One number. `ok` is None where nothing was promised."""

    name: str
    value: float
    unit: str
    spread: str = ""
    target: str = ""
    ok: bool | None = None


def result(
    name: str,
    values: float | Sequence[float],
    unit: str,
    *,
    below: float | None = None,
    at_least: float | None = None,
) -> Result:
    """The median of the values with their range; the target is judged by the median."""
    many = [float(value) for value in values] if isinstance(values, Sequence) else [float(values)]
    value = median(many)
    spread = f"{min(many):.4g} to {max(many):.4g} of {len(many)}" if len(many) > 1 else ""
    if below is not None:
        return Result(name, value, unit, spread, f"< {below:g}", value < below)
    if at_least is not None:
        return Result(name, value, unit, spread, f">= {at_least:.4g}", value >= at_least)
    return Result(name, value, unit, spread)
