"""Answers as files: JSON lines, csv, tsv or parquet, written as they come and put in place when all are there."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ftsweep.errors import UsageError

ERROR = "error"
"""The column that says why a row has no answer."""

_PARQUET_ROWS = 8192


class AnswerFile(ABC):
    """Takes one flat or nested record per row. Left without an error it is in its place, else it is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    @abstractmethod
    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append records; those of rows without an answer have `error` alone, beside kept columns."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the temporary file."""

    @abstractmethod
    def close(self) -> None:
        """Close what is open, whether it was finished or not."""

    def __enter__(self) -> AnswerFile:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            if kind is None:
                self.finish()
            self.close()
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

    def finish(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _Table(AnswerFile):
    """A table, whose columns are known when all rows are: until then they wait in a file without a name."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._waiting = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed by `close`
        self._names: dict[str, None] = {}

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        flat = [self.flat(record) for record in records]
        for record in flat:
            self._names |= dict.fromkeys(record)
        self.keep(flat)

    def close(self) -> None:
        self._waiting.close()

    @property
    def columns(self) -> list[str]:
        """All columns that any row has, the answers' behind the rows' own, and why there is none last."""
        return [*(name for name in self._names if name != ERROR), ERROR]

    @abstractmethod
    def flat(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record as the table holds it."""

    @abstractmethod
    def keep(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Have flat records wait."""

    @abstractmethod
    def written(self) -> Iterator[list[dict[str, Any]]]:
        """What was kept, in the order of coming."""


class TableAnswers(_Table):
    """csv or tsv. Scores by label are a column each (`scores.joy`), lists are JSON."""

    def flat(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return flattened(record)

    def keep(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._waiting.write(json.dumps(records, default=str).encode() + b"\n")  # csv too spells dates as `str` does

    def written(self) -> Iterator[list[dict[str, Any]]]:
        self._waiting.seek(0)
        yield from map(json.loads, self._waiting)

    def finish(self) -> None:
        delimiter = "\t" if self.path.suffix.lower() == ".tsv" else ","
        with self._temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns, delimiter=delimiter, restval="")
            writer.writeheader()
            for records in self.written():
                writer.writerows(records)


class ParquetAnswers(_Table):
    """Parquet. Scores by label are a column each, lists are lists; a column's type is the one that holds all of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._types: dict[str, Any] = {}

    def flat(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return flattened(record, lists_as_text=False)

    def keep(self, records: Sequence[Mapping[str, Any]]) -> None:
        import pyarrow as pa

        arrays: dict[str, Any] = {}
        for name in dict.fromkeys(name for record in records for name in record):
            try:
                arrays[name] = pa.array([record.get(name) for record in records])
                self._types[name] = _either(self._types.get(name, arrays[name].type), arrays[name].type)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise UsageError(
                    f"the column {name!r} of the rows has no one type that parquet could hold: {error}",
                    where=str(self.path),
                    remedy="Write .jsonl or .csv, or leave --keep-columns out.",
                ) from error
        batch = pa.table(arrays)
        with pa.ipc.new_stream(self._waiting, batch.schema) as stream:
            stream.write_table(batch)

    def written(self) -> Iterator[list[dict[str, Any]]]:
        import pyarrow as pa

        end = self._waiting.tell()
        self._waiting.seek(0)
        while self._waiting.tell() < end:
            with pa.ipc.open_stream(self._waiting) as stream:
                yield stream.read_all().to_pylist()

    def finish(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {name: self._types.get(name, pa.null()) for name in self.columns}
        fields = [pa.field(name, pa.string() if pa.types.is_null(each) else each) for name, each in types.items()]
        schema = pa.schema(fields)
        with pq.ParquetWriter(str(self._temporary), schema) as writer:
            for records in self._groups():
                writer.write_table(pa.Table.from_pylist(records, schema=schema))

    def _groups(self) -> Iterator[list[dict[str, Any]]]:
        """Rows in groups of a size that parquet is read well in."""
        held: list[dict[str, Any]] = []
        for records in self.written():
            held += records
            if len(held) >= _PARQUET_ROWS:
                yield held
                held = []
        yield held


def _either(left: Any, right: Any) -> Any:
    """The Arrow type that holds the values of both; raises ArrowTypeError or ArrowInvalid where there is none."""
    import pyarrow as pa

    schemas = [pa.schema([("x", each)]) for each in (left, right)]
    return left if left == right else pa.unify_schemas(schemas, promote_options="permissive").field("x").type


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


def with_columns(
    original: Mapping[str, Any], answer: Mapping[str, Any], columns: Collection[str] = ()
) -> dict[str, Any]:
    """The row's own columns, then the answer; of an answer's name that a column has, `answer.<name>`.

    So of one whose parts would have a column's name in a table (`scores` beside a column `scores.joy`). `columns` are
    those of other rows, where this one may have no value.
    """
    taken = {*original, *columns}
    return {**original, **{_free_name(name, value, taken): value for name, value in answer.items()}}


def _free_name(name: str, value: Any, taken: Collection[str]) -> str:
    while name in taken or (isinstance(value, Mapping) and any(each.startswith(f"{name}.") for each in taken)):
        name = f"answer.{name}"
    return name
