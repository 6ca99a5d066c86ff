"""Quasi-random sequences: Sobol and Halton."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from ftsweep.errors import ConfigError
from ftsweep.search.samplers.base import Ask, Sampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


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


@contextmanager
def _experimental_allowed() -> Iterator[None]:
    """Without Optuna's warning that a class may change in its next release: constraints.txt pins the release."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
