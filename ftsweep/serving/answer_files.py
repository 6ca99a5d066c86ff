"""Answers as files: JSON lines, csv, tsv or parquet, written as they come and put in place when all are there."""

from __future__ import annotations

import csv
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ftsweep.errors import UsageError

ERROR = "error"
"""The column that says why a row has no answer."""

_PARQUET_ROWS = 8192


class AnswerFile(ABC):
    """Takes one flat or nested record per row; `close` puts the file in its place, leaving it out takes it away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    @abstractmethod
    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append records; those of rows without an answer have `error` alone, beside kept columns."""

    @abstractmethod
    def end(self) -> None:
        """Write what is still held, and close."""

    def __enter__(self) -> AnswerFile:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self.end()
            if kind is None:
                self._temporary.replace(self.path)
        finally:
            self._temporary.unlink(missing_ok=True)


class JsonLinesAnswers(AnswerFile):
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: IO[str] = self._temporary.open("w", encoding="utf-8")

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._file.writelines(line_of(record) + "\n" for record in records)

    def end(self) -> None:
        self._file.close()


class _FirstAnswered(AnswerFile):
    """A table, whose columns are those of the first answer; rows before it wait."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._waiting: list[Mapping[str, Any]] = []
        self._columns: list[str] = []

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._waiting += [self.flat(record) for record in records]
        if not self._columns and any(ERROR not in record for record in self._waiting):
            self._set_columns()
        if self._columns and len(self._waiting) >= _PARQUET_ROWS:
            self._flush()

    def end(self) -> None:
        if self._waiting and not self._columns:
            self._set_columns()
        if self._waiting:
            self._flush()
        self.shut()

    def _set_columns(self) -> None:
        found = dict.fromkeys(name for record in self._waiting for name in record)
        self._columns = [*(name for name in found if name != ERROR), ERROR]
        self.start(self._columns, [record for record in self._waiting if ERROR not in record])

    def _flush(self) -> None:
        self.put(self._waiting)
        self._waiting = []

    @abstractmethod
    def flat(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The record as the table holds it."""

    @abstractmethod
    def start(self, columns: Sequence[str], answered: Sequence[Mapping[str, Any]]) -> None:
        """Begin the table."""

    @abstractmethod
    def put(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append records."""

    @abstractmethod
    def shut(self) -> None:
        """Close what was begun."""


class TableAnswers(_FirstAnswered):
    """csv or tsv. Scores by label are a column each (`scores.joy`), lists are JSON."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file: IO[str] = self._temporary.open("w", encoding="utf-8", newline="")
        self._writer: Any = None

    def flat(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        return flattened(record)

    def start(self, columns: Sequence[str], answered: Sequence[Mapping[str, Any]]) -> None:
        delimiter = "\t" if self.path.suffix.lower() == ".tsv" else ","
        self._writer = csv.DictWriter(self._file, columns, delimiter=delimiter, restval="", extrasaction="ignore")
        self._writer.writeheader()

    def put(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._writer.writerows(records)

    def shut(self) -> None:
        self._file.close()


class ParquetAnswers(_FirstAnswered):
    """Parquet. Scores by label are a column each, lists are lists; the first answers say the columns' types."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._writer: Any = None

    def flat(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        return flattened(record, lists_as_text=False)

    def start(self, columns: Sequence[str], answered: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = answered or self._waiting
        fields = []
        for name in columns:
            found = pa.array([row.get(name) for row in rows]).type if name != ERROR else pa.string()
            fields.append(pa.field(name, pa.string() if pa.types.is_null(found) else found))
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(str(self._temporary), self._schema)

    def put(self, records: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow as pa

        try:
            table = pa.Table.from_pylist([dict(record) for record in records], schema=self._schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise UsageError(
                f"the rows' own columns have no one type that parquet could hold: {error}",
                where=str(self.path),
                remedy="Write .jsonl or .csv, or leave --keep-columns out.",
            ) from error
        self._writer.write_table(table)

    def shut(self) -> None:
        if self._writer is not None:
            self._writer.close()


_FORMATS: dict[str, type[AnswerFile]] = {
    ".jsonl": JsonLinesAnswers,
    ".ndjson": JsonLinesAnswers,
    ".csv": TableAnswers,
    ".tsv": TableAnswers,
    ".parquet": ParquetAnswers,
}


def answer_file(path: Path) -> AnswerFile:
    """A file of answers to write, in the format of its suffix.

    Raises:
        UsageError: the suffix is another one, the file is there already, or its folder is not.
    """
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(_FORMATS)
        raise UsageError("answers cannot be written so", where=f"--out {path}", remedy=f"End its name with {known}.")
    if path.exists():
        raise UsageError(
            "this exists, and is not overwritten", where=f"--out {path}", remedy="Name another file, or remove it."
        )
    if not path.parent.is_dir():
        raise UsageError("its folder does not exist", where=f"--out {path}", remedy="Make the folder first.")
    return kind(path)


def line_of(record: Mapping[str, Any], *, is_ascii: bool = False) -> str:
    """A record as one line of JSON; what JSON has not (dates) is text, and `is_ascii` spells all but ASCII."""
    return json.dumps(record, ensure_ascii=is_ascii, default=str)


def flattened(record: Mapping[str, Any], *, lists_as_text: bool = True) -> dict[str, Any]:
    """A record without mappings in it: `{"scores": {"a": 1}}` is `{"scores.a": 1}`; lists as JSON where asked."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": part for key, part in value.items()}
        else:
            flat[name] = json.dumps(value, ensure_ascii=False) if lists_as_text and isinstance(value, list) else value
    return flat


def with_columns(original: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """The row's own columns, then the answer; of an answer's name that a column has, `answer.<name>`."""
    return {**original, **{f"answer.{name}" if name in original else name: value for name, value in answer.items()}}
