"""What a sampler promises: how settings are proposed. Optuna, cmaes and torch are imported only when one is made.

All samplers share what the study does around them (see `proposer.py`): every branch's default and the enqueued
settings first, no setting twice, a fresh generator per ask seeded by (`seed.sampler`, trial number), and an end when a
finite space is exhausted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ftsweep.domain.component import Component
from ftsweep.domain.space import Branch
from ftsweep.errors import ConfigError

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


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


def at_least(least: int, value: int, name: str) -> int:
    """The value of a sampler's setting, refused where it is below the least one that makes sense."""
    if value < least:
        raise ConfigError(f"{value} is too small", where=f"sampler.{name}", remedy=f"Give {least} or more.")
    return value
