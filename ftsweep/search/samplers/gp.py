"""A Gaussian process over few dimensions, fitted in a helper process."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ftsweep.search.samplers.base import Ask, Sampler, at_least

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from ftsweep.search.samplers.gp_process import GpProcess


class Gp(Sampler):
    """Gaussian process with expected improvement: careful and costly, for short studies of few dimensions.

    The process is fitted in a helper process, because it needs torch and the control process must not import it.
    startup_trials: trials with a value before it stops drawing at random, shared evenly among branches.
    deterministic: assume that measuring the same setting again would give the same value.
    """

    needs_values = True
    attempts = 1  # with another seed it finds the same optimum, at the price of another fit

    def __init__(self, *, startup_trials: int = 10, deterministic: bool = False) -> None:
        self.startup_trials = at_least(1, startup_trials, "startup_trials")
        self.deterministic = deterministic
        self._process: GpProcess | None = None

    def make(self, ask: Ask) -> BaseSampler:
        from ftsweep.search.samplers.gp_process import GpProcess, RemoteGpSampler

        if self._process is None:
            self._process = GpProcess()
        return RemoteGpSampler(
            self._process,
            seed=ask.seed,
            startup_trials=math.ceil(self.startup_trials / ask.num_branches),
            deterministic=self.deterministic,
        )

    def close(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
