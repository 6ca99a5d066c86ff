"""How numbers, times and names are written for a reader. The same everywhere in a report."""

from __future__ import annotations

import html
from typing import Any


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


def plain(text: Any) -> str:
    """Text that Plotly shows as it is: it reads a part of HTML in labels and hover boxes, and formulas between $."""
    return html.escape(str(text), quote=False).replace("$", "&#36;")
