"""How numbers, times and names are written for a reader. The same everywhere in a report."""

from __future__ import annotations

import html
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


def param(value: Any) -> str:
    """A parameter's value: numbers short, anything else as it is spelled in YAML."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    return number(value, digits=3) if isinstance(value, float) else str(value)


def seconds(value: float) -> str:
    """A duration with its two largest units: `42 s`, `3 min 5 s`, `2 h 4 min`."""
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def duration(value: float) -> str:
    """A span of whole seconds, for a clock that goes on: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def plain(text: Any) -> str:
    """Text that Plotly shows as it is: it reads a part of HTML in labels and hover boxes, and formulas between $."""
    return html.escape(str(text), quote=False).replace("$", "&#36;")
