"""The plan of a trial's run, known before it starts: the examples of each step, its rate, and where rungs lie.

Everything is a function of the step's index, so a checkpoint needs no cursor beyond that one number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

_MEGABATCH = 50  # batches that are sorted by length together: long enough to save padding, short enough to stay random


class Plan(Protocol):
    """What a run needs to know of its own course."""

    @property
    def num_examples(self) -> int: ...
    @property
    def num_steps(self) -> int: ...
    def examples_before(self, step: int) -> int: ...
    def indices(self, step: int) -> np.ndarray: ...


def order_seed(seeds: Mapping[str, int]) -> int:
    """What the order of examples follows, of a configuration's `seed` node: `data`, and `model` added to it.

    A decoder without dropout that trains in full draws nothing: with a fresh `seed.model` and the same order it would
    come to the same weights, as if seeds made no difference.
    """
    return seeds["data"] + seeds["model"]


@dataclass(frozen=True)
class BatchPlan:
    """The order of training examples: shuffled each epoch, grouped by length, in batches of `batch_size`.

    `lengths` has one token count per training example. The order depends on the arguments alone. The last batch of an
    epoch may be short; a fractional last epoch is cut so that exactly `num_examples` are seen.
    """

    lengths: np.ndarray
    batch_size: int
    epochs: float
    seed: int

    @property
    def num_examples(self) -> int:
        """Examples the whole run sees, repeats counted."""
        return max(1, round(self.epochs * len(self.lengths)))

    @cached_property
    def _steps_per_epoch(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole run."""
        full, rest = divmod(self.num_examples, len(self.lengths))
        return full * self._steps_per_epoch + math.ceil(rest / self.batch_size)

    def examples_before(self, step: int) -> int:
        """How many examples the steps before this one (counted from 0) have seen."""
        epoch, within = divmod(step, self._steps_per_epoch)
        return min(self.num_examples, epoch * len(self.lengths) + within * self.batch_size)

    def indices(self, step: int) -> np.ndarray:
        """The training examples of a step, counted from 0."""
        epoch, within = divmod(step, self._steps_per_epoch)
        batch = self._epoch_order(epoch)[within * self.batch_size : (within + 1) * self.batch_size]
        return batch[: self.num_examples - self.examples_before(step)]

    def _epoch_order(self, epoch: int) -> np.ndarray:
        cached = self.__dict__.get("_order")
        if cached is None or cached[0] != epoch:
            cached = (epoch, self._shuffled(epoch))
            self.__dict__["_order"] = cached  # the dataclass is frozen for its users; this is its cache
        return cached[1]

    def _shuffled(self, epoch: int) -> np.ndarray:
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(len(self.lengths))
        span = _MEGABATCH * self.batch_size
        for start in range(0, len(order), span):
            part = order[start : start + span]
            order[start : start + span] = part[np.argsort(-self.lengths[part], kind="stable")]
        num_full = len(order) // self.batch_size
        full = order[: num_full * self.batch_size].reshape(num_full, self.batch_size)
        return np.concatenate([full[generator.permutation(num_full)].reshape(-1), order[full.size :]])


def rate_factor(step: int, num_steps: int, *, warmup: float, schedule: str) -> float:
    """The fraction of the peak learning rate at a step (counted from 0) of a run.

    Warm-up rises linearly over the first `warmup` of the run and never starts at zero; then `linear` falls to (almost)
    zero at the last step, `cosine` along half a cosine, `constant` stays.
    """
    num_warmup = math.ceil(warmup * num_steps)
    if step < num_warmup:
        return (step + 1) / (num_warmup + 1)
    if schedule == "constant":
        return 1.0
    progress = (step - num_warmup) / max(1, num_steps - num_warmup)
    return 1.0 - progress if schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * progress))


def rung_reached(num_seen: int, num_examples: int, num_rungs: int) -> int:
    """The highest rung i whose fraction i/R of the run's own examples has been seen."""
    return num_rungs * num_seen // num_examples
