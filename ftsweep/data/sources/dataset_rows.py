"""Rows of a `datasets.Dataset`: class numbers become their names. Only workers come here: datasets imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.data.files.base import OpenedFile, RawRow, ReadSettings
from ftsweep.data.files.class_names import named
from ftsweep.data.files.kinds import DataFile
from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

NAMES = {"validation": ("validation", "valid", "val", "dev"), "test": ("test",), "train": ("train",)}
"""What data sets call the three splits."""


def raw_rows(dataset: Dataset, keep: frozenset[str] | None = None) -> Iterator[RawRow]:
    """Every row, with the columns to keep; numbers count from 1. An unlabelled class (-1) becomes None."""
    from datasets import ClassLabel

    dataset = dataset.with_format(None)
    if keep is not None:
        dataset = dataset.select_columns([name for name in dataset.column_names if name in keep])
    classes = {
        column: list(inner.names)
        for column, feature in dataset.features.items()
        if isinstance(inner := _innermost(feature), ClassLabel)
    }
    for number, values in enumerate(dataset, start=1):
        for column, names in classes.items():
            values[column] = named(values[column], names)
        yield RawRow(values, number)


class SavedRows(OpenedFile):
    """A folder that `datasets` saved, read as a file of rows is."""

    def __init__(self, folder: Path) -> None:
        """Raises DataError when it cannot be read, or holds several splits."""
        from datasets import DatasetDict, load_from_disk

        super().__init__(DataFile(folder, folder.name, "parquet"), ReadSettings(), None)
        try:
            saved = load_from_disk(str(folder))
        except (OSError, ValueError, KeyError) as error:
            remedy = "Save it again with save_to_disk."
            raise DataError(f"the saved data set cannot be read: {error}", where=str(folder), remedy=remedy) from error
        if isinstance(saved, DatasetDict):
            remedy = f"Name one split's folder, such as {folder / next(iter(saved), 'test')}."
            raise DataError(f"the saved data set has splits: {', '.join(saved)}", where=str(folder), remedy=remedy)
        self._dataset = saved
        self.facts.columns = tuple(saved.column_names)
        self.facts.num_lines = len(saved)

    def rows(self) -> Iterator[RawRow]:
        return raw_rows(self._dataset)


def named_split(splits: Any, split: str) -> str | None:
    """The name under which a DatasetDict holds this split, or None."""
    return next((name for name in NAMES[split] if name in splits), None)


def not_read(name: str, splits: Sequence[str]) -> list[Finding]:
    """What a person should know of splits of a saved data set that have no name of one that is read."""
    if not splits:
        return []
    told = f"{name} has splits that are not read, by their names: {', '.join(splits)}"
    return [Finding("files", Severity.NOTE, told)]


def _innermost(feature: Any) -> Any:
    """The feature of a list's items, of lists of lists too; the feature itself when it is no list."""
    while True:
        if isinstance(feature, list) and feature:
            feature = feature[0]
        elif hasattr(feature, "feature"):
            feature = feature.feature
        else:
            return feature
