"""By how much the best of several values on the same rows is too good: the choice itself, made on resampled rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ftsweep.analysis.seed_spread import ScoredRun


def optimism(runs: Sequence[ScoredRun], sign: int) -> float:
    """How much better the chosen value looks than it is, in the objective's unit, never below 0.

    The whole choice is made again on every resample: what is chosen there is held against what it is (Efron's
    bootstrap of optimism, 1983; of a minimum: Tibshirani and Tibshirani 2009). What the models are is taken to lie
    closer together than what they scored, by the share of the values' variance that the rows make (James and Stein):
    as they scored they lie too far apart, and the choice looks too easy. sign: 1 minimises.
    """
    if len(runs) < 2:
        return 0.0
    values = sign * np.array([run.value for run in runs])
    errors = sign * np.array([run.draws for run in runs]) - values[:, None]
    real = _closer(values, errors)
    scored = real[:, None] + errors
    chosen = scored.argmin(axis=0)
    return max(0.0, float((real[chosen] - scored[chosen, np.arange(errors.shape[1])]).mean()))


def _closer(values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Values [models] drawn to their mean by the share of their variance that errors [models, resamples] make."""
    spread = float(values.var(ddof=1))
    by_rows = float((errors - errors.mean(axis=0)).var(axis=1, ddof=1).sum() / (len(values) - 1))
    share = max(0.0, 1 - by_rows / spread) if spread > 0 else 0.0
    return np.asarray(values.mean() + share * (values - values.mean()))
