"""Where two results differ."""

from __future__ import annotations

from typing import Any


def difference(wanted: Any, found: Any, path: str = "") -> str:
    """The first place where two results differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted(wanted.keys() | found.keys()):
            if wanted.get(key) != found.get(key):
                return difference(wanted.get(key), found.get(key), f"{path}.{key}")
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (left, right) in enumerate(zip(wanted, found, strict=True)):
            if left != right:
                return difference(left, right, f"{path}[{index}]")
    return f"{path}: {str(wanted)[:200]} is now {str(found)[:200]}"
