"""Settings drawn without looking at what came of the earlier ones: at random, or all points of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftsweep.domain.points import num_values
from ftsweep.domain.space import Branch
from ftsweep.errors import ConfigError
from ftsweep.search.samplers.base import Ask, Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Random(Sampler):
    """Every setting is drawn at random, uniformly (log-uniformly where the dimension says `log`)."""

    def make(self, ask: Ask) -> BaseSampler:
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=ask.seed)


class Grid(Random):
    """Every point of a finite space once, in a seeded random order, so that a short budget still covers it evenly."""

    def check(self, branches: Sequence[Branch]) -> None:
        for branch in branches:
            for path, dimension in branch.space.dimensions.items():
                if num_values(dimension) is None:
                    raise ConfigError(
                        f"the grid sampler needs a finite list of values, and {dimension} is continuous",
                        where=f"space.{path}",
                        remedy="List its values, give the interval a `step`, or take another sampler (sampler=tpe).",
                    )
