"""From a file's columns to the ones tasks speak of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ftsweep.data.base import Row
from ftsweep.errors import ConfigError, DataError, suggest


def check_mapping(columns: Mapping[str, str] | None, *, key: str = "data.columns") -> dict[str, str]:
    """`task's name: file's name` as a dictionary; ConfigError when it is something else."""
    if columns is None:
        return {}
    if not isinstance(columns, Mapping) or not all(
        isinstance(name, str) and name for pair in columns.items() for name in pair
    ):
        raise ConfigError(
            f"{columns!r} does not map names to names",
            where=key,
            remedy="Write the task's name, then the file's: {text: tweet, label: emotion}.",
        )
    return dict(columns)


def rename_rows(
    raw: Sequence[tuple[Mapping[str, Any], str]],
    *,
    wanted: Iterable[str],
    mapping: Mapping[str, str],
    group: str | None,
    where: str,
) -> list[Row]:
    """Rows with the wanted columns under the task's names, and the group column under its own.

    `raw` holds pairs of (values by file column, place). A column that is mapped, or declared as the group, must exist
    in the file; any other may be missing, in the file or in a row: the task says which it needs.
    """
    found = list(dict.fromkeys(name for values, _ in raw for name in values))
    wanted = tuple(wanted)
    for name, file_name in mapping.items():
        if name not in wanted and name != group:
            raise ConfigError(
                f"{name!r} is no column that the task reads",
                where=f"data.columns.{name}",
                remedy="Write the task's name, then the file's: {text: tweet}. " + suggest(name, wanted),
            )
        if file_name not in found:
            raise DataError(
                f"there is no column {file_name!r}, which data.columns.{name} names",
                where=where,
                remedy=suggest(file_name, found),
            )
    file_group = None if group is None else mapping.get(group, group)
    if file_group is not None and file_group not in found:
        raise DataError(
            f"there is no column {file_group!r}, which data.group names", where=where, remedy=suggest(file_group, found)
        )
    kept = {name: mapping.get(name, name) for name in (*wanted, *((group,) if group is not None else ()))}
    file_columns = tuple(found)
    return [
        Row(
            {name: values[file_name] for name, file_name in kept.items() if file_name in values},
            place,
            file_columns,
            getattr(values, "problem", ""),
        )
        for values, place in raw
    ]
