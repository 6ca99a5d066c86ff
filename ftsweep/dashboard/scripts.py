"""Which of Dash's scripts a page loads: half of their 15 MB are used by none, and a browser would read them first."""

from __future__ import annotations

import re
from typing import Any

from dash import Dash

_UNUSED = (
    "async-enterprise",  # of the grid; we have its community
    "async-datepicker",
    "async-export",
    "async-highlight",
    "async-markdown",
    "async-mathjax",
    "async-slider",
    "async-table",
    "async-upload",
    "/dash_table/",
)
"""In their addresses. A component that needs one of the first nine all the same has it loaded when it is shown."""
_SCRIPT = re.compile(r'<script src="([^"]+)"></script>\s*')


class LeanDash(Dash):
    """Dash without the scripts that no page needs."""

    def interpolate_index(self, *args: Any, **parts: Any) -> str:
        parts["scripts"] = _SCRIPT.sub(_needed, parts["scripts"])
        return str(super().interpolate_index(*args, **parts))


def _needed(script: re.Match[str]) -> str:
    return "" if any(word in script[1] for word in _UNUSED) else script[0]
