"""Rows, where they come from, and the three splits. No torch here."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from ftsweep.domain.component import Component
from ftsweep.domain.finding import Finding
from ftsweep.errors import ConfigError

SPLITS = ("train", "validation", "test")

LIMIT_SEED = 20_240_501
"""`limit` draws with this seed whatever `seed.data` says, so that two studies with one limit see the same rows."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Row:
    """One example as its source gave it. `place` is where a person finds it: `tweets.jsonl:17`."""

    values: Mapping[str, Any]
    place: str
    file_columns: tuple[str, ...] = ()  # all that the file has, under its own names: for messages
    problem: str = ""  # why the source could not read it; then it has no values


class DataSource(Component, ABC):
    """Where rows come from. The constructor's keyword-only arguments are the schema of the `data` node.

    The constructor reads nothing and imports no torch; it raises ConfigError for a value it cannot honour.
    """

    component_kind = "data"

    group: str | None = None
    """The column whose equal values (a user, a document, a patient) must lie in one split; rows carry it."""
    validation_fraction: float = 0.1
    """The share of rows that ftsweep takes from train for validation, when the source names no such split."""
    test_fraction: float = 0.1
    """The same for test; 0 makes no test split."""
    findings: Sequence[Finding] = ()
    """What the latest `load` showed that a person should know: how files were read, what was passed over."""

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash that changes when the rows would change; cheaper than loading them where that is possible."""

    @abstractmethod
    def load(self, columns: Iterable[str]) -> Mapping[str, Sequence[Row]]:
        """Rows by split name, with columns renamed to what tasks call them.

        `train` always; `validation` and `test` where the source names them (ftsweep takes the missing validation, and
        a test split if none is named at all, from train). `columns` are those that the task can use; a row keeps what
        it has of them (and the group column). Raises DataError naming file and line of what cannot be parsed.
        """


class TaskEncoding(Protocol):
    """What preparing data asks of a task (`ftsweep.tasks.Task` says what each promises)."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def head(self) -> str: ...

    @property
    def label_shape(self) -> Literal["example", "token", "vector"]: ...

    @property
    def label_type(self) -> Literal["int", "float"]: ...

    @property
    def loss_settings(self) -> frozenset[str]: ...

    @property
    def mixes_rows(self) -> bool: ...

    def check_columns(self, available: Iterable[str]) -> None: ...

    def input_text(self, values: Mapping[str, Any]) -> str: ...

    def target_text(self, values: Mapping[str, Any]) -> str: ...

    def row_problem(self, values: Mapping[str, Any]) -> str | None: ...

    def stratum(self, values: Mapping[str, Any]) -> str | None: ...

    def learn_schema(self, train_rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]: ...

    def encode(self, rows: Iterable[Mapping[str, Any]], tokenizer: Any, schema: Mapping[str, Any]) -> Iterator[Any]: ...


def sampled(items: Sequence[Item], limit: int | None) -> list[Item]:
    """At most `limit` items, drawn with a fixed seed and kept in order; all of them without a limit.

    The first `limit` would be a trap: many files are sorted by label.
    """
    if limit is None or limit >= len(items):
        return list(items)
    chosen = sorted(random.Random(LIMIT_SEED).sample(range(len(items)), limit))  # noqa: S311 - not for secrets
    return [items[index] for index in chosen]


def check_limit(limit: int | None) -> int | None:
    """The limit, if it can be honoured; else ConfigError."""
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise ConfigError(
            f"{limit!r} rows cannot be drawn", where="data.limit", remedy="Use 1 or more, or null for all."
        )
    return limit


def check_fractions(validation: float, test: float) -> None:
    """Refuse fractions that leave a split of nothing to train or validate on."""
    for key, value, is_needed in (("validation_fraction", validation, True), ("test_fraction", test, False)):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value < 1 or (is_needed and value == 0):
            raise ConfigError(
                f"{value!r} is not a share of the rows",
                where=f"data.{key}",
                remedy=f"Use a number {'above 0' if is_needed else 'from 0'} and below 1, such as 0.1.",
            )
    if validation + test >= 1:
        raise ConfigError(
            f"validation ({validation}) and test ({test}) together leave no rows to train on",
            where="data.validation_fraction",
            remedy="Their sum must stay below 1.",
        )
