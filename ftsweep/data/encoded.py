"""One encoded split on disk: Arrow IPC, memory-mapped, read without copying."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

_CHUNK_BITS = 16
CHUNK = 1 << _CHUNK_BITS
"""Examples per record batch: all but the last have exactly so many, so that an index says which batch holds it."""

LabelType = Literal["int", "float"]

Item = TypeVar("Item")


class EncodedRow(NamedTuple):
    """One example as it is written.

    `row` is the source row's index in the split. Of an example packed from several rows it is the row at which the task
    yielded it, and -1 when that was after the last row.
    """

    input_ids: Sequence[int]
    labels: Sequence[int] | Sequence[float]
    row: int
    num_bytes: int = 0  # of the text that is learned, where the task counts them
    cluster: int = 0  # equal for examples that are right and wrong together: see `EncodedSplit.clusters`


class EncodedSplit:
    """The examples of one split as views over the memory map: nothing is copied, nothing is made per example.

    Views are read-only; copy before writing into them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
        self._inputs = [_Lists(batch.column("input_ids")) for batch in batches]
        self._labels = [_Lists(batch.column("labels")) for batch in batches]
        self._rows = [batch.column("row").to_numpy() for batch in batches]
        self._num_bytes = [batch.column("num_bytes").to_numpy() for batch in batches]
        self._clusters = [batch.column("cluster").to_numpy() for batch in batches]
        self._num_examples: int = sum(batch.num_rows for batch in batches)
        self._lengths = np.concatenate([np.empty(0, np.int32), *(np.diff(lists.offsets) for lists in self._inputs)])

    def __len__(self) -> int:
        return self._num_examples

    @property
    def lengths(self) -> np.ndarray:
        """Input tokens of every example. Shape [examples], int32."""
        return self._lengths

    def input_ids(self, index: int) -> np.ndarray:
        """Token ids of an example. Shape [length], int32."""
        return self._inputs[index >> _CHUNK_BITS][index & (CHUNK - 1)]

    def labels(self, index: int) -> np.ndarray:
        """Labels of an example: one for the whole, one per token, or a vector. int32; float32 where they are floats."""
        return self._labels[index >> _CHUNK_BITS][index & (CHUNK - 1)]

    def row_index(self, index: int) -> int:
        """The index in the split's rows of the row that became this example; for packed ones see `EncodedRow`."""
        return int(self._rows[index >> _CHUNK_BITS][index & (CHUNK - 1)])

    def num_bytes(self, index: int) -> int:
        """Bytes of text that the example's learned tokens stand for; 0 where the task does not count them."""
        return int(self._num_bytes[index >> _CHUNK_BITS][index & (CHUNK - 1)])

    def clusters(self, indices: np.ndarray | None = None) -> np.ndarray:
        """Which of all examples (or of these) belong together, their rows being of one group (`data.group`): those with
        equal numbers. Shape [examples], int32; [0] where each stands for itself, as texts do that are packed.
        """
        every = np.concatenate([np.empty(0, np.int32), *self._clusters])
        found = every if indices is None else every[indices]
        return found if len(np.unique(found)) < len(found) else np.empty(0, np.int32)


class SplitView(EncodedSplit):
    """Another split with something changed: what a subclass does not define is that split's."""

    def __init__(self, split: EncodedSplit) -> None:
        self._split = split

    def __len__(self) -> int:
        return len(self._split)

    @property
    def lengths(self) -> np.ndarray:
        return self._split.lengths

    def input_ids(self, index: int) -> np.ndarray:
        return self._split.input_ids(index)

    def labels(self, index: int) -> np.ndarray:
        return self._split.labels(index)

    def row_index(self, index: int) -> int:
        return self._split.row_index(index)

    def num_bytes(self, index: int) -> int:
        return self._split.num_bytes(index)

    def clusters(self, indices: np.ndarray | None = None) -> np.ndarray:
        return self._split.clusters(indices)


class _Lists:
    """Zero-copy numpy views of one record batch's list column."""

    def __init__(self, array: pa.ListArray) -> None:
        self.offsets = array.offsets.to_numpy(zero_copy_only=True)
        self.values = array.values.to_numpy(zero_copy_only=True)

    def __getitem__(self, index: int) -> np.ndarray:
        view: np.ndarray = self.values[self.offsets[index] : self.offsets[index + 1]]
        return view


def write_split(path: Path, examples: Iterable[EncodedRow], *, label_type: LabelType = "int") -> int:
    """Write examples as they come, holding one record batch in memory; how many there were."""
    label_value = pa.float32() if label_type == "float" else pa.int32()
    columns = [("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(label_value))]
    schema = pa.schema([*columns, ("row", pa.int64()), ("num_bytes", pa.int64()), ("cluster", pa.int32())])
    num_examples = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for chunk in _chunks(examples):
            arrays = [
                _list_array([row.input_ids for row in chunk], np.int32),
                _list_array([row.labels for row in chunk], np.float32 if label_type == "float" else np.int32),
                pa.array([row.row for row in chunk], type=pa.int64()),
                pa.array([row.num_bytes for row in chunk], type=pa.int64()),
                pa.array([row.cluster for row in chunk], type=pa.int32()),
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            num_examples += len(chunk)
    return num_examples


def _list_array(lists: Sequence[Sequence[Any]], dtype: type[np.generic]) -> pa.ListArray:
    offsets = np.zeros(len(lists) + 1, dtype=np.int64)
    np.cumsum([len(values) for values in lists], out=offsets[1:])
    values = np.concatenate([np.asarray(values, dtype=dtype) for values in lists])
    return pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), pa.array(values))


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
