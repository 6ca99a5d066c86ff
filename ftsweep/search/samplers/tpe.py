"""The tree-structured Parzen estimator (Bergstra et al. 2011), the sampler that is taken unless another is named."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ftsweep.search.samplers.base import Ask, Sampler, at_least

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class Tpe(Sampler):
    """Tree-structured Parzen estimator: random at first, then where good trials were denser than bad ones.

    startup_trials: trials that end before it stops drawing at random, shared evenly among branches.
    candidates: how many draws from the good trials' density compete for each proposal.
    multivariate: model the dimensions together; off, each on its own.
    constant_liar: count running trials as bad ones, so that parallel workers do not try the same.
    """

    prefers_branches = True

    def __init__(
        self,
        *,
        startup_trials: int = 10,
        candidates: int = 24,
        multivariate: bool = True,
        constant_liar: bool = True,
    ) -> None:
        self.startup_trials = at_least(1, startup_trials, "startup_trials")
        self.candidates = at_least(1, candidates, "candidates")
        self.multivariate = multivariate
        self.constant_liar = constant_liar

    def make(self, ask: Ask) -> BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(
            seed=ask.seed,
            n_startup_trials=math.ceil(self.startup_trials / ask.num_branches),
            n_ei_candidates=self.candidates,
            multivariate=self.multivariate,
            constant_liar=self.constant_liar,
        )
