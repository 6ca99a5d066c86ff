"""The files that lie below a folder, those behind links to folders, too."""

from __future__ import annotations

import os
from pathlib import Path


def files_below(folder: Path) -> list[Path]:
    """The files at any depth, in no order.

    A folder to which several ways lead is entered once: by the way without a link where there is one beside it.
    """
    seen: set[str] = set()
    found: list[Path] = []
    for place, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        fresh = []
        for name in sorted(folders, key=lambda name: ((Path(place) / name).is_symlink(), name)):
            real = os.path.realpath(Path(place) / name)
            if real not in seen:
                seen.add(real)
                fresh.append(name)
        folders[:] = fresh
        found += [path for name in names if (path := Path(place) / name).is_file()]
    return found
