"""Where the rows are in a JSON value that is no plain list of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_FEWEST = 5
"""Objects under names of their own from which on they are rows, and no parts of one."""


def table_in(value: Any) -> tuple[Sequence[Any] | None, str]:
    """The rows in a JSON value, and how it holds them where that is not plain; None without any.

    The shapes are those of pandas' `to_json` (records, columns, index, split, table), of columns as lists, and of a
    list of rows under a name.
    """
    if isinstance(value, list):
        if value and all(map(_is_text_and_object, value)):
            return [{**each, "text": text} for text, each in value], "holds a text and an object per row, as spaCy does"
        return value, ""
    if not isinstance(value, dict) or not value:
        return None, ""
    names, inner = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(inner, list) and all(isinstance(row, list) for row in inner):
        return [
            dict(zip(names, row, strict=False)) if len(row) == len(names) else row for row in inner
        ], "holds columns and data"
    tables = _lists_of_objects(value)
    members = list(value.values())
    are_columns = all(isinstance(member, list) for member in members) and len(set(map(len, members))) == 1
    if len(tables) == 1 and not (are_columns and len(members) > 1):
        others = [name for name in value if name != tables[0]]
        more = f"; passed over: {', '.join(others)}" if others else ""
        return value[tables[0]], f"holds its rows under {tables[0]!r}{more}"
    if are_columns:
        return [dict(zip(value, cells, strict=True)) for cells in zip(*members, strict=True)], "holds a list per column"
    if all(isinstance(member, dict) and member for member in members):
        if all(name.isdigit() for name in value):
            return members, "holds an object per row"
        keys = list(members[0])
        if len(members) > max(_FEWEST, *map(len, members)) and all(set(member) & set(keys) for member in members):
            return members, "holds an object per row, whose names are passed over"
        if all(list(member) == keys for member in members) and all(key.isdigit() for key in keys):
            return [{name: member[key] for name, member in value.items()} for key in keys], "holds an object per column"
    return None, ""


def several_tables(value: Any) -> list[str]:
    """The names of the lists of rows in an object that has more than one, such as a list for each split."""
    names = _lists_of_objects(value) if isinstance(value, dict) else []
    if isinstance(value, dict) and not names and len({len(value[name]) for name in _lists_of_pairs(value)}) > 1:
        return _lists_of_pairs(value)  # of one length they are columns
    keys = {tuple(sorted(value[name][0])) for name in names}
    is_chat = any({"role", "from"} & set(each) for each in keys)  # one row, with two conversations
    return names if len(names) > 1 and len(keys) == 1 and not is_chat else []


def _is_text_and_object(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)


def _lists_of_objects(value: Mapping[str, Any]) -> list[str]:
    return [name for name, member in value.items() if isinstance(member, list) and _are_objects(member)]


def _are_objects(members: Sequence[Any]) -> bool:
    return bool(members) and all(isinstance(member, dict) for member in members)


def _lists_of_pairs(value: Mapping[str, Any]) -> list[str]:
    """The names of lists whose members are two or three texts each, as many in all of them."""
    lists = {name: member for name, member in value.items() if isinstance(member, list) and member}
    are_cells = {
        name: {len(each) for each in member if isinstance(each, list) and all(isinstance(cell, str) for cell in each)}
        for name, member in lists.items()
        if all(isinstance(each, list) for each in member)
    }
    return [name for name, sizes in are_cells.items() if sizes in ({2}, {3})]
