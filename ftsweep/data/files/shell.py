"""Commands that messages tell a person to run, and paths in them."""

from __future__ import annotations

import shlex
from pathlib import Path


def python_command(code: str, arguments: str) -> str:
    """The command that runs code, which has no double quotes, with arguments that are quoted already."""
    return f'`python -c "{code}" {arguments}`'


def path_argument(path: Path) -> str:
    """A path as an argument that no program takes for an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
