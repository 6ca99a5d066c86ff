"""Rows that a person types or pipes in, for prediction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ftsweep.errors import DataError
from ftsweep.tasks.base import Task


def parse_rows(lines: Iterable[str], task: Task, *, name: str) -> list[dict[str, Any]]:
    """One row per non-empty line: a JSON object with the task's columns, or plain text for its first column.

    Raises:
        DataError: a line is a broken JSON object or has none of the task's columns.
    """
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        if not text.startswith("{"):
            rows.append({task.columns[0]: text})
            continue
        try:
            row = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(
                f"this line is not a JSON object: {error}",
                where=f"{name}:{number}",
                remedy="Mend it, or give plain text that does not begin with '{'.",
            ) from None
        if not set(row) & set(task.columns):
            raise DataError(
                f"none of the columns {', '.join(sorted(row))} is one that the task reads",
                where=f"{name}:{number}",
                remedy=f"Name them as the task does: {', '.join(task.columns)}.",
            )
        rows.append(task.without_target(row))
    return rows
