"""Many rows in little more memory than their text: packed a thousand at a time, unpacked as they are asked for."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

from ftsweep.data.base import Row

_CHUNK_BITS = 10
_CHUNK = 1 << _CHUNK_BITS

_ABSENT = ...
"""What stands for a column that a row does not have; None is a value."""

Finish = Callable[[dict[str, Any]], str]
"""Changes a row's values in place; returns what is wrong with them, "" for nothing."""


class RowStore(Sequence[Row]):
    """Rows of one split. Add all of them, then read them; each access makes a new `Row`."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` are the columns that rows may have."""
        self._names = tuple(names)
        self._chunks: list[bytes] = []
        self._open: list[tuple[Any, ...]] = []
        self._files: list[str] = []
        self._decoded: tuple[int, list[tuple[Any, ...]]] = (-1, [])
        self.file_columns: tuple[str, ...] = ()
        self.finish: Finish | None = None

    def add_file(self, name: str) -> None:
        """Rows that are added from now on are of this file."""
        self._files.append(name)

    def add(self, values: Mapping[str, Any], number: int, problem: str = "") -> None:
        """A row of the latest file."""
        get = values.get
        self._open.append((len(self._files) - 1, number, problem, *[get(name, _ABSENT) for name in self._names]))
        if len(self._open) == _CHUNK:
            self._chunks.append(pickle.dumps(self._open, protocol=5))
            self._open = []

    def __len__(self) -> int:
        return (len(self._chunks) << _CHUNK_BITS) + len(self._open)

    def __iter__(self) -> Iterator[Row]:
        for number in range(len(self._chunks) + 1):
            for packed in self._unpacked(number):
                yield self._row(packed)

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
        number = place >> _CHUNK_BITS
        if number == len(self._chunks):
            return self._row(self._open[place & (_CHUNK - 1)])
        if self._decoded[0] != number:
            self._decoded = number, self._unpacked(number)
        return self._row(self._decoded[1][place & (_CHUNK - 1)])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(left == right for left, right in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def _unpacked(self, number: int) -> list[tuple[Any, ...]]:
        if number == len(self._chunks):
            return self._open
        rows: list[tuple[Any, ...]] = pickle.loads(self._chunks[number])  # noqa: S301 - this process packed it
        return rows

    def _row(self, packed: tuple[Any, ...]) -> Row:
        file, number, problem, *cells = packed
        values = (
            {}
            if problem
            else {name: cell for name, cell in zip(self._names, cells, strict=True) if cell is not _ABSENT}
        )
        if self.finish is not None and not problem:
            problem = self.finish(values)
        return Row({} if problem else values, f"{self._files[file]}:{number}", self.file_columns, problem)
