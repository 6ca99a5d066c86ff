"""How numbers, counts and parameters are written for a reader: the same in every sentence, table and figure."""

from __future__ import annotations

import math
from typing import Any

NOTHING = "\N{EN DASH}"


def number(value: float | None, *, digits: int = 4) -> str:
    """A number to `digits` significant digits, without needless zeros: `0.4312`, `3e-4`, `1250`."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
        text = f"{value:.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def plural(count: int, noun: str) -> str:
    """`1 trial`, `1,000 trials`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def param(value: Any, *, digits: int = 3) -> str:
    """A parameter's value in one line: numbers short, a line end as ⏎, anything else as it is spelled in YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return number(value, digits=digits)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(param(each, digits=digits) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {param(each, digits=digits)}" for key, each in value.items()) + "}"
    return str(value).replace("\n", "⏎")
