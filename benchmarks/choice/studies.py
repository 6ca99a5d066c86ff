"""Simulated studies: settings, seeds and validation rows drawn from a pool; the pool's other rows are the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pools import Pool

from ftsweep.analysis.seed_spread import ScoredRun
from ftsweep.analysis.two_answers import SettingFacts

NUM_RESAMPLES = 500
NUM_VALIDATION = 212
SIGN = 1


@dataclass(frozen=True)
class Study:
    """One search of `settings` on `rows` of the held-out set, and seeds that nobody has looked at for what comes after.

    seeds [settings of the pool, seeds of the pool]: the first of each setting is the search's.
    """

    pool: Pool
    settings: tuple[int, ...]
    rows: np.ndarray
    seeds: np.ndarray
    draw: int

    @cached_property
    def _weights(self) -> np.ndarray:
        generator = np.random.default_rng([self.draw, 7])
        drawn = generator.integers(0, len(self.rows), size=(NUM_RESAMPLES, len(self.rows)))
        weights = np.zeros((NUM_RESAMPLES, len(self.rows)), np.float32)
        np.add.at(weights, (np.arange(NUM_RESAMPLES)[:, None], drawn), 1.0)
        return weights / len(self.rows)

    @cached_property
    def _others(self) -> np.ndarray:
        others = np.ones(self.pool.losses.shape[-1], bool)
        others[self.rows] = False
        return others

    def run(self, setting: int, seed: int) -> ScoredRun:
        """The run of a setting with its search's seed, 0, or a fresh one."""
        losses = self._best(setting, int(self.seeds[setting, seed]))[self.rows]
        return ScoredRun(setting, seed, float(losses.mean()), self._weights @ losses)

    def truth(self, setting: int, seed: int) -> float:
        """What the run's best weights lose on all rows that the study does not see."""
        return float(self._best(setting, int(self.seeds[setting, seed]))[self._others].mean())

    def true_mean(self, setting: int) -> float:
        """Over all seeds that the pool has."""
        return float(np.mean([self._best(setting, seed)[self._others].mean() for seed in self._made(setting)]))

    def row_losses(self, setting: int, seed: int) -> np.ndarray:
        """Of all held-out rows, at the run's best rung."""
        return self._best(setting, int(self.seeds[setting, seed]))

    def at_half(self, setting: int, seed: int) -> float:
        """The value in the middle of a run."""
        losses = self.pool.losses[setting, int(self.seeds[setting, seed])]
        return float(losses[losses.shape[0] // 2 - 1, self.rows].mean())

    @property
    def search(self) -> list[ScoredRun]:
        """The search's runs, best first."""
        return sorted((self.run(setting, 0) for setting in self.settings), key=lambda run: run.value)

    @property
    def search_cost(self) -> float:
        return float(sum(self.pool.costs[setting] for setting in self.settings))

    @property
    def facts(self) -> dict[int, SettingFacts]:
        return {
            setting: SettingFacts(is_default=setting == 0, cost=float(self.pool.costs[setting]))
            for setting in self.settings
        }

    @property
    def num_fresh(self) -> int:
        return self.seeds.shape[1] - 1

    def _best(self, setting: int, seed: int) -> np.ndarray:
        """Losses of all rows at the run's best rung by the study's rows."""
        losses = self.pool.losses[setting, seed]
        rung = int(np.argmin(losses[:, self.rows].mean(axis=1)))
        return np.asarray(losses[rung])

    def _made(self, setting: int) -> Sequence[int]:
        return [seed for seed in range(self.pool.losses.shape[1]) if np.isfinite(self.pool.losses[setting, seed]).all()]


def drawn_studies(pool: Pool, count: int, *, num_trials: int = 12, shares_seed: bool = True) -> list[Study]:
    """Studies with the default and other settings each, and rows and seeds of their own.

    shares_seed: whether all trials of a search have one seed, as with `seed.model`; else each trial has its own.
    """
    num_settings, num_seeds = pool.losses.shape[:2]
    found = []
    for draw in range(count):
        generator = np.random.default_rng([draw, 3])
        others = 1 + generator.permutation(num_settings - 1)[: num_trials - 1]
        rows = np.sort(generator.choice(pool.losses.shape[-1], NUM_VALIDATION, replace=False))
        shared = generator.permutation(num_seeds)
        seeds = np.array([shared if shares_seed else generator.permutation(num_seeds) for _ in range(num_settings)])
        found.append(Study(pool, (0, *map(int, others)), rows, seeds, draw))
    return found
