"""The files that lie below a folder, those behind links to folders, too."""

from __future__ import annotations

import os
from pathlib import Path

from ftsweep.data.files.shell import path_argument
from ftsweep.domain.finding import Finding, Severity


def files_below(folder: Path, notes: list[Finding] | None = None) -> list[Path]:
    """The files at any depth, in no order.

    A folder to which several ways lead is entered once: by the way without a link where there is one beside it. One
    that may not be read is told in `notes`, if it is not hidden.
    """
    seen: set[str] = set()
    found: list[Path] = []

    def told(error: OSError) -> None:
        place = Path(error.filename)
        if notes is not None and not any(part.startswith(".") for part in place.relative_to(folder).parts):
            what = f"the folder {place} cannot be read ({error.strerror}), and what is in it is left out"
            remedy = f"If rows are in it: chmod -R u+rX {path_argument(place)}, by its owner"
            notes.append(Finding("files", Severity.WARN, what, remedy=remedy))

    for place, folders, names in os.walk(folder, followlinks=True, onerror=told):
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
