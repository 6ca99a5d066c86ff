"""A run's score on resampled rows, beside the run: what tells how sure it is, and differences to other runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ftsweep.store.atomic import written_file
from ftsweep.store.folders import TrialFolder

_NAME = "resampled.npy"


def write_resampled(folder: TrialFolder, values: Sequence[float]) -> None:
    """Keep the objective on every resample; none where the rows do not tell it."""
    with written_file(folder.path / _NAME, is_synced=False) as temporary, open(temporary, "wb") as file:
        np.save(file, np.array(values, np.float64))


def read_resampled(folder: TrialFolder) -> np.ndarray | None:
    """What `write_resampled` kept, [resamples] float64; None when nothing can be read: it is asked again."""
    try:
        values: np.ndarray = np.load(folder.path / _NAME, allow_pickle=False)
        return values
    except (OSError, ValueError, EOFError):
        return None
