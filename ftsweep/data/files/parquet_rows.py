"""Rows of parquet files, a batch at a time; numbers of classes become the names that the file gives them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

from ftsweep.data.files.base import OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.class_names import class_names, named
from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.inner import with_inner
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.unpacked import opened
from ftsweep.errors import DataError

_BATCH = 4096
_MAX_ROWS_PER_BYTE = 1000
"""A file that repeats one value can have more rows than anybody can hold."""


class ParquetFile(OpenedFile):
    """A parquet file."""

    remedy = "Write the file again"

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding | None) -> None:
        super().__init__(file, settings, encoding)
        with self._opened() as parquet:
            self._names = data_columns(parquet.schema_arrow.names, file.where)
            num_rows = parquet.metadata.num_rows
            if num_rows > _MAX_ROWS_PER_BYTE * max(file.path.stat().st_size, 1):
                raise DataError(f"says that it has {num_rows} rows, far more than its size can hold", where=file.where)
            self.facts.class_names = class_names(parquet.schema_arrow.metadata)
        self._has_columns(self._names)

    def rows(self) -> Iterator[RawRow]:
        keep = self.settings.keep
        heads = {name.partition(".")[0] for name in self._inner}
        names = [name for name in self._names if keep is None or name in keep or name in heads]
        classes = {name: found for name, found in self.facts.class_names.items() if name in names}
        number = 0
        with self._opened() as parquet:
            if not names:
                yield from (RawRow({}, place + 1) for place in range(parquet.metadata.num_rows))
                return
            for batch in parquet.iter_batches(batch_size=_BATCH, columns=names):
                for values in batch.select(names).to_pylist():
                    number += 1
                    row = named_row(values, number, classes)
                    yield row._replace(values=with_inner(row.values, self._inner)) if self._inner else row

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            if self.file.member or self.file.compression:
                with opened(self.file) as stream:
                    yield pq.ParquetFile(io.BytesIO(stream.read()))
            else:
                with pq.ParquetFile(self.file.path) as parquet:
                    yield parquet
        except (
            pa.ArrowException,
            OSError,
            ValueError,
            OverflowError,
        ) as error:  # the last two: texts, times out of range
            why = str(error).partition("\n")[0]
            raise DataError(f"cannot be read as parquet: {why}", where=self.file.where, remedy=self.remedy) from error


def data_columns(names: Sequence[str], where: str) -> list[str]:
    """Those of a file's columns that are its data's: without an index that pandas wrote beside them.

    Raises:
        DataError: two columns have one name.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        remedy = "Rename one where the file is written."
        raise DataError(f"has more than one column {twice[0]!r}", where=where, remedy=remedy)
    return [name for name in names if not (name.startswith("__index_level_") and name.endswith("__"))]


def named_row(values: dict[str, Any], number: int, classes: dict[str, list[str]]) -> RawRow:
    """A row with the names of its classes for their numbers, and numbers for decimals."""
    for name, value in values.items():
        if isinstance(value, Decimal):
            values[name] = int(value) if value == value.to_integral_value() else float(value)
        elif isinstance(value, bytes):  # text, as programs write it that know no type for it; else it stays bytes
            with suppress(UnicodeDecodeError):
                values[name] = value.decode("utf-8")
    try:
        for name, names in classes.items():
            values[name] = named(values[name], names)
    except ValueError as error:
        return RawRow({}, number, f"{name!r}: {error}")
    return RawRow(values, number)
