"""Many rows in little more memory than their text: packed a thousand at a time, unpacked as they are asked for."""

from __future__ import annotations

import pickle
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, overload

from ftsweep.data.base import Row

_CHUNK = 1024

_ABSENT = ...
"""What stands for a column that a row does not have; None is a value."""

Packed = tuple[Any, ...]
"""A row: its file's place, its number, its problem, and its cells."""

Finish = Callable[[dict[str, Any]], str]
"""Changes a row's values in place; returns what is wrong with them, "" for nothing."""


class RowStore(Sequence[Row]):
    """Rows of one split. Add all of them, then read them; each access makes a new `Row`."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` are the columns that rows may have."""
        self._names = tuple(names)
        self._chunks: list[bytes] = []
        self._ends: list[int] = []  # of each chunk, the number of rows up to its end
        self._open: list[Packed] = []
        self._files: list[str] = []
        self._latest: tuple[int, list[Packed]] = (-1, [])
        self.file_columns: tuple[str, ...] = ()
        self.finish: Finish | None = None

    def add_file(self, name: str) -> None:
        """Rows that are added from now on are of this file."""
        self._files.append(name)

    def add(self, values: Mapping[str, Any], number: int, problem: str = "") -> None:
        """A row of the latest file."""
        self.add_from(values, self._names, number, problem)

    def add_from(self, values: Mapping[str, Any], keys: Sequence[str], number: int, problem: str = "") -> None:
        """The same with other names; `keys` are those of the store's columns, in their order."""
        get = values.get
        self._open.append((len(self._files) - 1, number, problem, *[get(key, _ABSENT) for key in keys]))
        if len(self._open) == _CHUNK:
            self._close()

    def add_columns(self, columns: Mapping[str, Sequence[Any]], keys: Sequence[str], first: int) -> None:
        """Rows of the latest file, column by column; their numbers follow each other from `first`."""
        self._close()
        size = len(next(iter(columns.values())))
        packed = (len(self._files) - 1, first, size, [columns.get(key) for key in keys])
        self._keep(packed, size)

    def __len__(self) -> int:
        return (self._ends[-1] if self._ends else 0) + len(self._open)

    def __iter__(self) -> Iterator[Row]:
        for number in range(len(self._chunks)):
            yield from map(self._row, self._unpacked(number))
        yield from map(self._row, self._open)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        number = bisect_right(self._ends, place)
        start = self._ends[number - 1] if number else 0
        if number == len(self._chunks):
            return self._row(self._open[place - start])
        if self._latest[0] != number:
            self._latest = number, list(self._unpacked(number))
        return self._row(self._latest[1][place - start])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(left == right for left, right in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def _close(self) -> None:
        if self._open:
            self._keep(self._open, len(self._open))
            self._open = []

    def _keep(self, packed: Any, size: int) -> None:
        self._ends.append((self._ends[-1] if self._ends else 0) + size)
        self._chunks.append(pickle.dumps(packed, protocol=5))

    def _unpacked(self, number: int) -> Iterable[Packed]:
        chunk = pickle.loads(self._chunks[number])  # noqa: S301 - this process packed it
        if isinstance(chunk, list):
            return chunk
        file, first, size, columns = chunk
        cells = [repeat(_ABSENT, size) if column is None else column for column in columns]
        numbers = range(first, first + size)
        return zip(repeat(file, size), numbers, repeat("", size), *cells, strict=True)

    def _row(self, packed: Packed) -> Row:
        file, number, problem, *cells = packed
        values = (
            {}
            if problem
            else {name: cell for name, cell in zip(self._names, cells, strict=True) if cell is not _ABSENT}
        )
        if self.finish is not None and not problem:
            problem = self.finish(values)
        return Row({} if problem else values, f"{self._files[file]}:{number}", self.file_columns, problem)
