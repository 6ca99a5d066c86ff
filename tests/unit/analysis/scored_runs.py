"""Runs of settings as the rules of the choice take them: made from row losses, so that rows are paired."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ftsweep.analysis.seed_spread import ScoredRun

NUM_ROWS, NUM_RESAMPLES = 200, 400


def scored(
    means: Sequence[tuple[int, int, float]], *, row_noise: float = 0.1, seed: int = 0, sign: int = 1
) -> list[ScoredRun]:
    """A run for each setting, seed and mean over the rows at hand, which is exact; rows differ by `row_noise`."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, NUM_ROWS, size=(NUM_RESAMPLES, NUM_ROWS))
    found = []
    for setting, index, mean in means:
        rows = generator.normal(0, row_noise, NUM_ROWS)
        rows += sign * mean - rows.mean()
        found.append(ScoredRun(setting, index, sign * mean, rows[drawn].mean(axis=1)))
    return found
