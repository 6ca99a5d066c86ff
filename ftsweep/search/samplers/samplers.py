"""How settings are proposed. Optuna, cmaes and torch are imported only when a sampler is made.

All samplers share what the study does around them (see `proposer.py`): every branch's default and the enqueued
settings first, no setting twice, a fresh generator per ask seeded by (`seed.sampler`, trial number), and an end when a
finite space is exhausted.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ftsweep.domain.component import Component
from ftsweep.domain.space import Branch, FloatInterval, IntInterval
from ftsweep.errors import ConfigError, MissingExtraError
from ftsweep.search.samplers.points import num_values

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from ftsweep.search.samplers.gp_process import GpProcess


@dataclass(frozen=True)
class Ask:
    """One proposal to be made."""

    seed: int
    """Of this proposal alone, from (`seed.sampler`, trial number, attempt)."""
    study_seed: int
    """`seed.sampler`, for samplers that walk one sequence through the study."""
    num_branches: int


class Sampler(Component, ABC):
    """Makes an Optuna sampler for one ask. Constructor: keyword-only, the schema of the `sampler` node."""

    component_kind = "sampler"

    prefers_branches: ClassVar[bool] = False
    """Whether it learns which branch is better; for others the branches take turns."""
    needs_values: ClassVar[bool] = False
    """Whether it knows only complete trials with a value, so that pruned and infeasible ones need a stand-in."""

    attempts: ClassVar[int] = 4
    """How often it may propose a setting that was tried before, until chance decides."""

    def check(self, branches: Sequence[Branch]) -> None:
        """Refuse a space that this sampler cannot search, or a missing package.

        Raises:
            ConfigError, MissingExtraError: before anything starts.
        """

    @abstractmethod
    def make(self, ask: Ask) -> BaseSampler:
        """A fresh Optuna sampler, so that nothing but the stored trials and the seed decides what it proposes."""

    def close(self) -> None:
        """End what `make` started."""


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
        self.startup_trials = _at_least(1, startup_trials, "startup_trials")
        self.candidates = _at_least(1, candidates, "candidates")
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


class Qmc(Sampler):
    """A quasi-random sequence: like random search, but without holes and heaps.

    sequence: `sobol` or `halton`.
    scramble: shift and permute the sequence by `seed.sampler`; off, it begins in the corner of all lowest values.
    """

    def __init__(self, *, sequence: Literal["sobol", "halton"] = "sobol", scramble: bool = True) -> None:
        if sequence not in ("sobol", "halton"):
            raise ConfigError(f"{sequence!r} is no sequence", where="sampler.sequence", remedy="Known: halton, sobol.")
        self.sequence = sequence
        self.scramble = scramble

    def make(self, ask: Ask) -> BaseSampler:
        from optuna.samplers import QMCSampler, RandomSampler

        with _experimental_allowed():
            return QMCSampler(
                qmc_type=self.sequence,
                scramble=self.scramble,
                seed=ask.study_seed,
                independent_sampler=RandomSampler(seed=ask.seed),
                warn_independent_sampling=False,
            )


class Gp(Sampler):
    """Gaussian process with expected improvement: careful and costly, for short studies of few dimensions.

    The process is fitted in a helper process, because it needs torch and the control process must not import it.
    startup_trials: trials with a value before it stops drawing at random, shared evenly among branches.
    deterministic: assume that measuring the same setting again would give the same value.
    """

    needs_values = True
    attempts = 1  # with another seed it finds the same optimum, at the price of another fit

    def __init__(self, *, startup_trials: int = 10, deterministic: bool = False) -> None:
        self.startup_trials = _at_least(1, startup_trials, "startup_trials")
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


class CmaEs(Sampler):
    """Covariance matrix adaptation, for long studies over numbers. Choices are drawn at random.

    startup_trials: trials with a value before it stops drawing at random, shared evenly among branches.
    population: trials per generation; null takes 4 + 3 ln(dimensions).
    """

    needs_values = True

    def __init__(self, *, startup_trials: int = 1, population: int | None = None) -> None:
        self.startup_trials = _at_least(1, startup_trials, "startup_trials")
        self.population = None if population is None else _at_least(2, population, "population")

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


@contextmanager
def _experimental_allowed() -> Iterator[None]:
    """Without Optuna's warning that a class may change in its next release: constraints.txt pins the release."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _at_least(least: int, value: int, name: str) -> int:
    if value < least:
        raise ConfigError(f"{value} is too small", where=f"sampler.{name}", remedy=f"Give {least} or more.")
    return value
