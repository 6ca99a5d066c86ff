"""How sure the mean of a setting is: what seeds do to it and what rows do to it, apart and together.

A value measured on validation rows differs from run to run because seeds differ, and because each model finds other
rows hard. Only the first is left when there are many rows. Variance components by the method of moments (Searle and
others, Variance Components, 1992); degrees of freedom by Satterthwaite (1946). Bouthillier et al. 2021
(2103.03098) show that rows alone say "surely" too often.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SURE = 0.95
"""How often a difference that is called sure must have the sign that it shows."""


@dataclass(frozen=True)
class ScoredRun:
    """A model in hand: a setting trained with one seed, and what it scored on validation.

    `draws` [resamples] is the objective on resampled rows, the same draws for every run: runs are paired by them.
    """

    setting: int
    """The number of the trial whose setting it has."""
    seed: int
    """0: the search's own run, by which the setting came among the best; 1, 2, ...: its fresh seeds."""
    value: float
    draws: np.ndarray

    @property
    def is_fresh(self) -> bool:
        return self.seed > 0


@dataclass(frozen=True)
class Spread:
    """The variance of a setting's true value over seeds, in the objective's unit squared, and how well it is known."""

    variance: float
    degrees: int
    """Of freedom: fresh runs beyond the first of each setting; 0: nothing is known."""


@dataclass(frozen=True)
class Difference:
    """One mean minus another, with a standard error that holds seeds and rows; None where seeds tell nothing of it."""

    value: float
    standard_error: float | None
    margin: float | None
    """What the value must exceed to be sure: the standard error by Student's quantile."""

    @property
    def is_sure(self) -> bool:
        return self.margin is not None and abs(self.value) > self.margin


def seed_spread(groups: Sequence[Sequence[ScoredRun]]) -> Spread:
    """Pooled over settings, each a group of its fresh runs: two or three seeds of one setting alone tell too little.

    What runs differ by because of the rows at hand is taken off: it is in the rows' share already.
    """
    squares, degrees = 0.0, 0
    for runs in groups:
        if len(runs) < 2:
            continue
        values, draws = np.array([run.value for run in runs]), np.array([run.draws for run in runs])
        by_rows = (draws - draws.mean(axis=0)).var(axis=1, ddof=1).sum()
        squares += float(((values - values.mean()) ** 2).sum() - by_rows)
        degrees += len(runs) - 1
    return Spread(max(0.0, squares / degrees) if degrees else 0.0, degrees)


def difference(left: Sequence[ScoredRun], right: Sequence[ScoredRun], spread: Spread) -> Difference:
    """The mean over the left runs minus that over the right ones, the rows paired."""
    value = float(np.mean([run.value for run in left]) - np.mean([run.value for run in right]))
    if spread.degrees == 0:
        return Difference(value, None, None)
    by_rows = _row_variance(left, right)
    by_seeds = spread.variance * (1 / len(left) + 1 / len(right))
    error = math.sqrt(by_rows + by_seeds)
    return Difference(value, error, error * _quantile(by_rows, by_seeds, spread.degrees))


def mean_error(runs: Sequence[ScoredRun], spread: Spread) -> float | None:
    """The standard error of one setting's mean over fresh seeds, seeds and rows together; None: seeds are not known."""
    if spread.degrees == 0 or not runs:
        return None
    by_rows = float(np.mean([run.draws for run in runs], axis=0).var(ddof=1))
    return math.sqrt(by_rows + spread.variance / len(runs))


def _row_variance(left: Sequence[ScoredRun], right: Sequence[ScoredRun]) -> float:
    sides = (np.mean([run.draws for run in runs], axis=0) for runs in (left, right))
    ours, theirs = sides
    return float((ours - theirs).var(ddof=1))


def _quantile(by_rows: float, by_seeds: float, degrees: int) -> float:
    """Student's one-sided quantile; the rows' part counts as known, 200 rows and more being behind it."""
    from scipy.special import stdtrit

    if by_seeds == 0:
        return float(stdtrit(1e6, SURE))
    freedom = degrees * ((by_rows + by_seeds) / by_seeds) ** 2
    return float(stdtrit(freedom, SURE))
