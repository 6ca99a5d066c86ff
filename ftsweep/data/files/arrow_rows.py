"""Rows of Arrow and Feather files, a batch at a time: what `datasets` keeps in its cache and in saved folders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ftsweep.data.files.base import OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.class_names import class_names
from ftsweep.data.files.encodings import Encoding
from ftsweep.data.files.inner import with_inner
from ftsweep.data.files.kinds import DataFile
from ftsweep.data.files.parquet_rows import data_columns, named_row
from ftsweep.data.files.unpacked import opened
from ftsweep.errors import DataError

_MAGIC = b"ARROW1"
_ROWS = 4096


class ArrowFile(OpenedFile):
    """An Arrow file, or a stream that was written to one."""

    remedy = "Write the file again"

    def __init__(self, file: DataFile, settings: ReadSettings, encoding: Encoding | None) -> None:
        super().__init__(file, settings, encoding)
        with self._batches() as (schema, _):
            names = data_columns(schema.names, file.where)
            self.facts.class_names = class_names(schema.metadata)
        self._has_columns(names)

    def rows(self) -> Iterator[RawRow]:
        keep = self.settings.keep
        heads = {name.partition(".")[0] for name in self._inner}
        own = [name for name in self.facts.columns if name not in self._inner]
        names = [name for name in own if keep is None or name in keep or name in heads]
        classes = {name: found for name, found in self.facts.class_names.items() if name in names}
        number = 0
        with self._batches() as (_, batches):
            for batch in batches:
                batch.validate(full=True)  # a damaged file's offsets would be followed out of memory
                for start in range(0, batch.num_rows, _ROWS):
                    part = batch.slice(start, _ROWS)
                    rows = part.select(names).to_pylist() if names else [{} for _ in range(part.num_rows)]
                    for values in rows:
                        number += 1
                        row = named_row(values, number, classes)
                        yield row._replace(values=with_inner(row.values, self._inner))

    @contextmanager
    def _batches(self) -> Iterator[tuple[Any, Iterator[Any]]]:
        """The schema, and the batches of rows."""
        import pyarrow as pa

        try:
            with opened(self.file) as stream:
                is_file = stream.read(len(_MAGIC)) == _MAGIC
            with opened(self.file) as stream:
                if is_file:
                    source = stream.read() if self.file.member or self.file.compression else None
                    # not mapped: what a damaged file says lies behind its end would end the process
                    whole = pa.BufferReader(source) if source is not None else pa.OSFile(str(self.file.path))
                    reader = pa.ipc.open_file(whole)
                    yield reader.schema, (reader.get_batch(place) for place in range(reader.num_record_batches))
                else:
                    reader = pa.ipc.open_stream(stream)
                    yield reader.schema, iter(reader)
        except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
            why = str(error).partition("\n")[0] or "it asks for more memory than there is"
            raise DataError(f"cannot be read as Arrow: {why}", where=self.file.where, remedy=self.remedy) from error
