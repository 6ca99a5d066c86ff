"""A column of 0 and 1 per label, found by looking where nobody names them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from ftsweep.data.files.base import OpenedFile
from ftsweep.data.sources.columns import Columns
from ftsweep.domain.commands import override
from ftsweep.domain.finding import Finding, Severity

_NUM_LOOKED_AT = 5_000  # rows; of a later one that holds something else is told as of any row that cannot be used

_FLAGS = {"0", "1", "0.0", "1.0", "true", "false"}

_ROW_NAMES = {"id", "idx", "index", "row_id", "unnamed: 0", ""}
"""Columns that say which row it is, and never what it is about."""


def label_columns(opened: OpenedFile, columns: Columns) -> list[str]:
    """The file's columns that are none of `columns`, if each is 0 or 1 in every row and there are two or more; else [].

    With any other column among them it would be a guess which of the columns of 0 and 1 are labels.
    """
    read = columns.resolved(opened.facts.columns).keep
    seen: dict[str, set[str]] = {}
    for row in islice(_usable(opened), _NUM_LOOKED_AT):
        if "labels" in row:
            return []
        for name, value in row.items():
            if name not in read and name.strip().lower() not in _ROW_NAMES:
                seen.setdefault(name, set()).add("" if value is None else str(value).strip().lower())
    is_plain = all(values - {""} and values - {""} <= _FLAGS for values in seen.values())
    return list(seen) if is_plain and len(seen) >= 2 else []


def told_of(columns: list[str]) -> Finding:
    """What was taken for granted, and how to say it or something else."""
    named = ", ".join(columns)
    return Finding(
        "labels",
        Severity.NOTE,
        f"the labels are the {len(columns)} columns of 0 and 1: {named} ({override('data.columns.labels', columns)} "
        "says it)",
        count=len(columns),
    )


def _usable(opened: OpenedFile) -> Iterable[dict[str, object]]:
    return (dict(row.values) for row in opened if not row.problem)
