"""Rows, where they come from, and the three splits. No torch here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Row:
    """One example as its source gave it. `place` is where a person finds it: `tweets.jsonl:17`."""

    values: Mapping[str, Any]
    place: str


class DataSource(ABC):
    """Where rows come from. The constructor's keyword-only arguments are the schema of the `data` node.

    The constructor reads nothing and imports no torch; it raises ConfigError for a value it cannot honour.
    """

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash that changes when the rows would change; cheaper than loading them where that is possible."""

    @abstractmethod
    def load(self, columns: Iterable[str]) -> dict[str, list[Row]]:
        """Rows by split name, with columns renamed to what tasks call them.

        Either `train` alone (ftsweep makes the split), or `train` and `validation` and perhaps `test`. `columns` are
        those that the task can use; a row keeps what it has of them (and the group column). Raises DataError naming
        file and line of what cannot be parsed.
        """
