"""Files of a folder that hold no rows: those about the data, which nobody misses, and others, which are told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ftsweep.data.files.folder_ways import named_txt_way
from ftsweep.data.files.kinds import format_of
from ftsweep.data.files.made_readable import annotations_way
from ftsweep.domain.finding import Finding, Severity

NOT_ROWS = re.compile(r"(?i)^(readme|license|licence|changelog|dataset_infos?|metadata|requirements|citation)\b")
_NO_DATA = (".yaml", ".yml", ".py", ".ipynb", ".sh", ".md", ".rst", ".lock")
"""Files beside data that nobody takes for rows: sweep files, programs, texts about them."""
_TEXTS = (".md", ".rst", ".py", ".ipynb")
"""Of these the kinds of which many are texts themselves."""
_MANY = 5
_TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
_NUM_SHOWN = 5


def is_beside(file: Path, folder: Path) -> bool:
    """Whether a file is hidden, or about the data: a README, a licence."""
    is_hidden = any(part.startswith((".", "__MACOSX")) for part in file.relative_to(folder).parts)
    return is_hidden or NOT_ROWS.match(file.name) is not None


def passed_over(folder: Path, there: Iterable[Path], taken: set[Path]) -> list[Finding]:
    """What a person should know of files of other kinds in a folder, such as spreadsheets, or annotations of texts.

    `there` are all files below it. A few texts about the data are none of it, and many beside texts are.
    """
    left = sorted(file for file in there if file not in taken and (not is_beside(file, folder) or _is_table(file)))
    num_of = Counter(file.suffix for file in left)
    has_texts = any(format_of(file.name)[0] == "txt" for file in taken)
    many = [suffix for suffix in _TEXTS if num_of[suffix] > _MANY] if has_texts else []
    others = [file for file in left if file.suffix not in _NO_DATA or file.suffix in many]
    if not others:
        return []
    names = [file.relative_to(folder).as_posix() for file in others]
    shown = ", ".join(names[:_NUM_SHOWN]) + (f" and {len(names) - _NUM_SHOWN} more" * (len(names) > _NUM_SHOWN))
    name = folder.name or folder.resolve().name
    if annotated := [file for file in others if file.suffix == ".ann" and file.with_suffix(".txt") in taken]:
        what = f"{name} has annotations beside {len(annotated)} texts, as brat writes them, that are not read: {shown}"
        remedy = annotations_way(folder)
        return [Finding("files", Severity.WARN, what, count=len(annotated), remedy=remedy)]
    what = f"{name} has files of other kinds, which are not read: {shown}"
    if not many:
        return [Finding("files", Severity.NOTE, what)]
    num = sum(num_of[suffix] for suffix in many)
    return [Finding("files", Severity.WARN, what, count=num, remedy=f"To read texts: {named_txt_way(folder, many[0])}")]


def _is_table(file: Path) -> bool:
    """Whether it is named as one about the data and is a table, which may hold what is to be learned."""
    return file.name.lower().startswith("metadata") and file.suffix.lower() in _TABLES
