"""The bytes of a data file, unpacked as they are read, and never more of them than a file of its size may hold."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from ftsweep.data.files.kinds import DataFile, format_of
from ftsweep.errors import DataError

MAX_RATIO = 250
"""Times its own size that a packed file may unpack to, beyond `FREE_BYTES`: rows of text reach 50, a bomb 1,000."""

FREE_BYTES = 64 << 20

_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile)


@contextmanager
def opened(file: DataFile) -> Iterator[BinaryIO]:
    """The file's unpacked bytes.

    Raises:
        DataError: it cannot be opened or unpacked, or unpacks to more than `MAX_RATIO` times its size.
    """
    try:
        with _raw(file) as (stream, packed_size):
            if packed_size is None:
                yield stream
            else:
                yield io.BufferedReader(_Bounded(stream, packed_size, file), buffer_size=1 << 18)
    except _DAMAGED as error:
        remedy = "Fetch or pack it again."
        raise DataError(
            f"is packed, and damaged: {error or 'it ends too early'}", where=file.where, remedy=remedy
        ) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=file.where) from error


@contextmanager
def _raw(file: DataFile) -> Iterator[tuple[Any, int | None]]:
    """The unpacking stream, and the size of what is packed; None where nothing is."""
    if file.member:
        with zipfile.ZipFile(file.path) as archive:
            try:
                info = archive.getinfo(file.member)
                with archive.open(info) as member, _unpacking(member, format_of(file.member)[1]) as stream:
                    yield stream, info.compress_size
            except (RuntimeError, NotImplementedError) as error:
                raise DataError(f"cannot be unpacked: {error}", where=file.where, remedy="Unpack it.") from error
    else:
        size = file.path.stat().st_size if file.compression else None
        with file.path.open("rb") as raw, _unpacking(raw, file.compression) as stream:
            yield stream, size


@contextmanager
def _unpacking(raw: Any, compression: str) -> Iterator[Any]:
    if compression == "gzip":
        with gzip.GzipFile(fileobj=raw) as stream:
            yield stream
    elif compression == "bz2":
        with bz2.BZ2File(raw) as stream:
            yield stream
    elif compression == "xz":
        with lzma.LZMAFile(raw) as stream:
            yield stream
    elif compression == "zstd":
        import pyarrow as pa  # Python's own zstd comes with 3.14

        with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd") as stream:
            yield stream
    else:
        yield raw


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more bytes than a file of this packed size may hold."""

    def __init__(self, stream: Any, packed_size: int, file: DataFile) -> None:
        super().__init__()
        self._stream = stream
        self._left = FREE_BYTES + MAX_RATIO * packed_size
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise DataError(
                f"unpacks to more than {MAX_RATIO} times its size, as no rows of text do",
                where=self._file.where,
                remedy="If it is what you mean, unpack it yourself and name the file.",
            )
        buffer[: len(data)] = data
        return len(data)
