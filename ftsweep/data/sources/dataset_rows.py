"""Rows of a `datasets.Dataset`: class numbers become their names. Only workers come here: datasets imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ftsweep.data.files.base import RawRow
from ftsweep.data.files.class_names import named

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


def named_split(splits: Any, split: str) -> str | None:
    """The name under which a DatasetDict holds this split, or None."""
    return next((name for name in NAMES[split] if name in splits), None)


def _innermost(feature: Any) -> Any:
    """The feature of a list's items, of lists of lists too; the feature itself when it is no list."""
    while True:
        if isinstance(feature, list) and feature:
            feature = feature[0]
        elif hasattr(feature, "feature"):
            feature = feature.feature
        else:
            return feature
