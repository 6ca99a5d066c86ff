"""Names of a data set's classes, as they stand in the metadata that `datasets` writes into parquet files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """Names of classes by column, lists' too, from the metadata of an Arrow schema; {} where there are none."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        found = {str(column): _names_in(feature) for column, feature in features.items()}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
    return {column: names for column, names in found.items() if names}


def named(value: Any, names: Sequence[str]) -> Any:
    """A class's name for its number, in lists too; an unlabelled one (-1) is None.

    Raises:
        ValueError: a number that has no name.
    """
    if isinstance(value, list):
        return [named(item, names) for item in value]
    if value is None or (isinstance(value, int) and value < 0):
        return None
    if not isinstance(value, int) or value >= len(names):
        raise ValueError(f"{value!r} is none of the {len(names)} classes: {', '.join(names[:5])}")
    return names[value]


def _names_in(feature: Any) -> list[str]:
    """The class names of a feature, or of a list's items."""
    while True:
        if isinstance(feature, list) and feature:
            feature = feature[0]
        elif isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            names = feature["names"]
            return [str(name) for name in names] if isinstance(names, list) else []
        elif isinstance(feature, dict) and "feature" in feature:
            feature = feature["feature"]
        else:
            return []
