"""Rows that a person types or pipes in, for prediction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ftsweep.errors import DataError
from ftsweep.tasks.base import Task

_TABLES = (".csv", ".tsv", ".parquet", ".conll", ".bio")
"""Files whose lines are no rows: a header and cells with line ends, or one word a line."""


def parse_rows(lines: Iterable[str], task: Task, *, name: str) -> list[dict[str, Any]]:
    """One row per non-empty line: a JSON object with the task's columns, or plain text for its first column.

    Raises:
        DataError: `name` is a table's, the text is not UTF-8, a line is a broken JSON object or has none of the task's
            columns.
    """
    remedy = f'Save it as JSON lines, {{"{task.columns[0]}": "..."}}, in a .jsonl file.'
    if name.lower().endswith(_TABLES):
        raise DataError("this kind of file does not have one row a line", where=name, remedy=remedy)
    try:
        numbered = list(enumerate(lines, start=1))
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 ({error.reason})", where=name, remedy="Save it as UTF-8.") from None
    rows: list[dict[str, Any]] = []
    for number, line in numbered:
        text = line.removeprefix("\ufeff").strip()
        if not text:
            continue
        if not text.startswith("{"):
            if name.lower().endswith(".json"):  # a list over many lines would be answered line by line
                raise DataError("this line is not a JSON object", where=f"{name}:{number}", remedy=remedy)
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
