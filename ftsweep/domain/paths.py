"""What a person means by the text of a path. It is kept as typed: links are not followed."""

from __future__ import annotations

import os.path
from pathlib import Path


def typed_path(text: str | Path) -> Path:
    """The path, with `~` at its beginning followed as a shell does; not where something of that very name is there,
    nor where `~name` names no user."""
    path = Path(text)
    if not str(path).startswith("~") or os.path.lexists(path):
        return path
    try:
        return path.expanduser()
    except RuntimeError:
        return path
