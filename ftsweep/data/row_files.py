"""The files of a prepared set that are for people and for evidence: raw rows, and which of them guards flagged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ftsweep.data.base import Row


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """One JSON line a row: its place and its values."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            # dates, decimals and the like of parquet files become text
            file.write(
                json.dumps({"place": row.place, "values": dict(row.values)}, ensure_ascii=False, default=str) + "\n"
            )


def read_rows(path: Path) -> list[Row]:
    """What `write_rows` wrote."""
    with path.open(encoding="utf-8") as file:
        return [Row(**json.loads(line)) for line in file]


def write_flagged(folder: Path, flagged: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
    """Rows by split and guard, each by its place in the split."""
    arrays: dict[str, Any] = {
        f"{split}/{guard}": np.array(rows, np.int32)
        for split, by_guard in flagged.items()
        for guard, rows in by_guard.items()
    }
    np.savez(folder / "flagged.npz", **arrays)


def read_flagged(folder: Path, split: str) -> dict[str, list[int]]:
    """The rows of a split that `write_flagged` wrote, by guard."""
    with np.load(folder / "flagged.npz", allow_pickle=False) as arrays:
        prefix = f"{split}/"
        return {key.removeprefix(prefix): arrays[key].tolist() for key in arrays.files if key.startswith(prefix)}
