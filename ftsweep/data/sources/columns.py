"""From a file's columns to the ones tasks speak of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ftsweep.errors import ConfigError, DataError, suggest

FileColumns = str | int | list[str]
"""A file's column by its name or its number (from 1); or several, each a label of its own."""

_ON = {"1", "1.0", "true", "yes", "y", "x"}
_OFF = {"0", "0.0", "false", "no", "n"}


def check_mapping(columns: Mapping[str, Any] | None, *, key: str = "data.columns") -> dict[str, FileColumns]:
    """`task's name: file's name` as a dictionary; ConfigError when it is something else."""
    if columns is None:
        return {}
    if not isinstance(columns, Mapping) or not all(isinstance(name, str) and name for name in columns):
        _refuse_mapping(columns, key)
    for value in columns.values():
        is_number = isinstance(value, int) and not isinstance(value, bool) and value > 0
        is_list = isinstance(value, Sequence) and not isinstance(value, str) and value
        if is_list and all(isinstance(each, str) and each for each in value):
            continue
        if not is_number and not (isinstance(value, str) and value):
            _refuse_mapping(columns, key)
    return {name: value if isinstance(value, str | int) else list(value) for name, value in columns.items()}


def check_names(names: Mapping[str, str] | None, *, key: str) -> dict[str, str]:
    """The same where only names are possible."""
    found = check_mapping(names, key=key)
    if not all(isinstance(name, str) for name in found.values()):
        _refuse_mapping(names, key)
    return {name: str(value) for name, value in found.items()}


class Columns:
    """Which of a file's columns become which of the task's.

    A column that is mapped, or declared as the group, must exist in the file; any other may be missing, in the file or
    in a row: the task says which it needs.
    """

    def __init__(self, wanted: Iterable[str], mapping: Mapping[str, FileColumns], group: str | None) -> None:
        self._wanted = tuple(wanted)
        self._mapping = dict(mapping)
        self._group = group
        for name, value in mapping.items():
            if name not in self._wanted and name != group:
                raise ConfigError(
                    f"{name!r} is no column that the task reads",
                    where=f"data.columns.{name}",
                    remedy="Write the task's name, then the file's: {text: tweet}. " + suggest(name, self._wanted),
                )
            if isinstance(value, list) and name != "labels":
                raise ConfigError(
                    f"{value!r} are several columns, and only 'labels' can be made of several",
                    where=f"data.columns.{name}",
                    remedy=f"Name one of them: data.columns.{name}={value[0]}.",
                )
        taken = {str(each) for value in mapping.values() for each in (value if isinstance(value, list) else [value])}
        named = [name for name in self._wanted if name in mapping or name not in taken]
        self.names = tuple(dict.fromkeys([*named, *([group] if group is not None else [])]))
        """The columns that rows may have, under the task's names; a column that is mapped is not also its namesake."""
        self._sources = {name: mapping.get(name, name) for name in self.names}
        self._single = [(name, str(source)) for name, source in self._sources.items() if not isinstance(source, list)]
        self._several = [(name, source) for name, source in self._sources.items() if isinstance(source, list)]

    @property
    def plain(self) -> list[str] | None:
        """The file's name of each of `names`, where every one is one column; else None."""
        return None if self._several else [source for _, source in self._single]

    @property
    def keep(self) -> frozenset[str]:
        """The file's columns that are read, numbers as text."""
        return frozenset(
            str(each)
            for source in self._sources.values()
            for each in (source if isinstance(source, list) else [source])
        )

    def resolved(self, found: Sequence[str]) -> Columns:
        """The same with numbers that no column is called by replaced by the names of the columns at these places."""
        places = {
            name: found[value - 1]
            for name, value in self._mapping.items()
            if isinstance(value, int) and str(value) not in found and value <= len(found)
        }
        return Columns(self._wanted, {**self._mapping, **places}, self._group) if places else self

    def check(self, found: Iterable[str], where: str, *, but: Collection[str] = ()) -> None:
        """Raise DataError for a column (`but` these) that is mapped, or declared as the group, and that no row has."""
        found = list(found)
        for name, source in self._sources.items():
            is_said = (name in self._mapping or name == self._group) and name not in but
            for each in (source if isinstance(source, list) else [source]) if is_said else ():
                if str(each) not in found:
                    key = f"data.columns.{name}" if name in self._mapping else "data.group"
                    what = f"there is no column {each!r}, which {key} names"
                    raise DataError(what, where=where, remedy=suggest(str(each), found))

    def values(self, raw: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """A row's values under the task's names, and what is wrong with it ("" for nothing)."""
        values = {name: raw[source] for name, source in self._single if source in raw}
        for name, columns in self._several:
            values[name], problem = _chosen(raw, columns)
            if problem:
                return {}, problem
        return values, ""


def _chosen(raw: Mapping[str, Any], columns: Sequence[str]) -> tuple[list[str], str]:
    """The columns that hold a 1, of columns that hold 0 or 1."""
    chosen = []
    for column in columns:
        value = raw.get(column)
        text = str(value).strip().lower()
        if value is None or text in ("", "nan"):
            return [], f"{column!r} is missing or empty; a column per label holds 0 or 1"
        if text in _ON:
            chosen.append(column)
        elif text not in _OFF:
            return [], f"{column!r} is {value!r}; a column per label holds 0 or 1"
    return chosen, ""


def _refuse_mapping(columns: Any, key: str) -> None:
    raise ConfigError(
        f"{columns!r} does not map names to names",
        where=key,
        remedy="Write the task's name, then the file's: {text: tweet, label: emotion}.",
    )
