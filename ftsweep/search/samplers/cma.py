"""Covariance matrix adaptation (CMA-ES), of the extra `cmaes`."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftsweep.domain.space import Branch, FloatInterval, IntInterval
from ftsweep.errors import ConfigError, MissingExtraError
from ftsweep.search.samplers.base import Ask, Sampler, at_least

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class CmaEs(Sampler):
    """Covariance matrix adaptation, for long studies over numbers. Choices are drawn at random.

    startup_trials: trials with a value before it stops drawing at random, shared evenly among branches.
    population: trials per generation; null takes 4 + 3 ln(dimensions).
    """

    needs_values = True

    def __init__(self, *, startup_trials: int = 1, population: int | None = None) -> None:
        self.startup_trials = at_least(1, startup_trials, "startup_trials")
        self.population = None if population is None else at_least(2, population, "population")

    def check(self, branches: Sequence[Branch]) -> None:
        if importlib.util.find_spec("cmaes") is None:
            raise MissingExtraError("cmaes", "cmaes", purpose="sampler=cmaes")
        for branch in branches:
            dimensions = branch.space.dimensions.values()
            if dimensions and not any(isinstance(dimension, IntInterval | FloatInterval) for dimension in dimensions):
                raise ConfigError(
                    "the CMA-ES sampler adapts numbers, and this space has choices only",
                    where=f"space of branch {branch.name}" if branch.name else "space",
                    remedy="Give a dimension as an interval, or take another sampler (sampler=tpe).",
                )

    def make(self, ask: Ask) -> BaseSampler:
        from optuna.samplers import CmaEsSampler, RandomSampler

        return CmaEsSampler(
            seed=ask.seed,
            n_startup_trials=math.ceil(self.startup_trials / ask.num_branches),
            popsize=self.population,
            independent_sampler=RandomSampler(seed=ask.seed),
            warn_independent_sampling=False,
        )
