"""Splits that a column of the rows names: `data.split`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftsweep.data.base import SPLITS, Row
from ftsweep.data.files.split_words import split_of_word
from ftsweep.errors import ConfigError, DataError

_NUM_SHOWN = 5


def checked_split_column(name: Any, paths: Mapping[str, Sequence[str]]) -> str | None:
    """The column's name; ConfigError when it is none, or when splits are named by files, too."""
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise ConfigError(
            f"{name!r} is not a column's name", where="data.split", remedy="Name one of the file's columns."
        )
    others = [f"data.{split}" for split in paths if split != "train"]
    if others:
        raise ConfigError(
            f"the column {name!r} is to say the split of each row, and {others[0]} names a file",
            where="data.split",
            remedy=f"Leave one of the two out: data.split=null, or {others[0]}=null.",
        )
    return name


def rows_by_column(loaded: Mapping[str, Sequence[Row]], column: str, where: str) -> dict[str, Sequence[Row]]:
    """The rows of train by the split that their column names; unreadable ones stay with train.

    Raises:
        DataError: no row has the column, or one says something else than a split; or files name splits, too.
    """
    if len(loaded) > 1:
        raise DataError(
            f"data.split={column} is to say the split of each row, and the files' names say it already",
            where=where,
            remedy="Leave data.split out, or name the file alone that has all rows.",
        )
    found: dict[str, list[Row]] = {split: [] for split in SPLITS}
    odd: Counter[str] = Counter()
    for row in loaded["train"]:
        said = row.values.get(column)
        split = "train" if row.problem else split_of_word(said)
        if not split:
            odd["nothing" if said in (None, "") else repr(said)] += 1
            continue
        found[split].append(replace(row, values={key: value for key, value in row.values.items() if key != column}))
    if odd:
        shown = ", ".join(f"{word} ({count})" for word, count in odd.most_common(_NUM_SHOWN))
        raise DataError(
            f"the column {column!r}, which data.split names, says no split in {odd.total()} of "
            f"{len(loaded['train'])} rows: {shown}",
            where=where,
            remedy="Write train, validation or test in it, or take no notice of it: data.split=null.",
        )
    return {split: rows for split, rows in found.items() if rows}
