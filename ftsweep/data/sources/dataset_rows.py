"""Rows of a `datasets.Dataset`: class numbers become their names. Only workers come here: datasets imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftsweep.data.sources.readers import RawRows

if TYPE_CHECKING:
    from datasets import Dataset

NAMES = {"validation": ("validation", "valid", "val", "dev"), "test": ("test",), "train": ("train",)}
"""What data sets call the three splits."""


def raw_rows(dataset: Dataset, name: str) -> RawRows:
    """(values, place) of every row; the number in a place counts from 1. An unlabelled class (-1) becomes None."""
    from datasets import ClassLabel

    feature_names = {
        column: feature for column, feature in dataset.features.items() if isinstance(_innermost(feature), ClassLabel)
    }
    rows: RawRows = []
    for number, values in enumerate(dataset.with_format(None), start=1):
        for column, feature in feature_names.items():
            values[column] = _names_of(values[column], _innermost(feature))
        rows.append((values, f"{name}:{number}"))
    return rows


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


def _names_of(value: Any, labels: Any) -> Any:
    if isinstance(value, list):
        return [_names_of(item, labels) for item in value]
    return None if value is None or value < 0 else labels.int2str(int(value))
