"""Files of a folder that hold no rows: those about the data, which nobody misses, and others, which are told."""

from __future__ import annotations

import re
from pathlib import Path

from ftsweep.data.files.made_readable import annotations_way
from ftsweep.domain.finding import Finding, Severity

NOT_ROWS = re.compile(r"(?i)^(readme|license|licence|changelog|dataset_infos?|metadata|requirements|citation)\b")
_NO_DATA = (".yaml", ".yml", ".py", ".ipynb", ".sh", ".md", ".rst", ".lock")
"""Files beside data that nobody takes for rows: sweep files, programs, texts about them."""
_NUM_SHOWN = 5


def is_beside(file: Path, folder: Path) -> bool:
    """Whether a file is hidden, or about the data: a README, a licence."""
    is_hidden = any(part.startswith((".", "__MACOSX")) for part in file.relative_to(folder).parts)
    return is_hidden or NOT_ROWS.match(file.name) is not None


def passed_over(folder: Path, taken: set[Path]) -> list[Finding]:
    """What a person should know of files of other kinds in a folder, such as spreadsheets, or annotations of texts."""
    others = [
        file
        for file in sorted(folder.rglob("*"))
        if file not in taken and file.is_file() and not is_beside(file, folder) and file.suffix not in _NO_DATA
    ]
    if not others:
        return []
    names = [file.relative_to(folder).as_posix() for file in others]
    shown = ", ".join(names[:_NUM_SHOWN]) + (f" and {len(names) - _NUM_SHOWN} more" * (len(names) > _NUM_SHOWN))
    if annotated := [file for file in others if file.suffix == ".ann" and file.with_suffix(".txt") in taken]:
        what = f"{folder.name} has annotations beside {len(annotated)} texts, as brat writes them, that are not read: "
        what += shown
        remedy = annotations_way(folder)
        return [Finding("files", Severity.WARN, what, count=len(annotated), remedy=remedy)]
    return [Finding("files", Severity.NOTE, f"{folder.name} has files of other kinds, which are not read: {shown}")]
