"""Families of learning curves that pruning rules are held against: of real fine-tunes, and two that are made up."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ftsweep.domain.space import Space
from ftsweep.testing import recorded as tiny
from ftsweep.testing.recorded import NUM_RUNGS, SPACE

OF_TINY = Path(tiny.__file__).with_name("recorded_curves.json")
OF_MINILM = Path(__file__).with_name("minilm_curves.json")
SHARE = 0.02
"""A trial is as good as one gets when its true value is among this share of the space."""
_DRAWN = 2_000  # settings, to know what the space holds

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Family:
    """`curve` gives the true loss at every rung, 1 to the last; what a trial measures has `noise` on top, shared by
    its rungs, and a fifth of it at each rung by itself.
    """

    name: str
    curve: Callable[[Params], list[float]]
    noise: float
    space: Space = SPACE

    def truth(self, params: Params) -> float:
        """The best loss of a run to its end, which is what a complete trial stands for."""
        return min(self.curve(params))

    def measured(self, params: Params, seed: int, number: int) -> list[float]:
        luck = random.Random(f"{self.name} {seed} {number}")
        shift = luck.gauss(0, self.noise)
        return [value + shift + luck.gauss(0, self.noise / 5) for value in self.curve(params)]

    def duration(self, params: Params) -> float:
        """Of a run to its end; the space's mean is about 1."""
        return float(params["training.epochs"]) / 2 if self.is_recorded else 1.0

    @property
    def is_recorded(self) -> bool:
        return self.name in ("tiny", "minilm")

    @cached_property
    def levels(self) -> np.ndarray:
        """True values of settings drawn at random from the space, the best first."""
        luck = random.Random(0)
        return np.sort([self.truth(drawn(self.space, luck)) for _ in range(_DRAWN)])

    @cached_property
    def good(self) -> float:
        """What a trial must reach to be as good as one gets."""
        return float(self.levels[int(SHARE * _DRAWN)])

    @cached_property
    def spread(self) -> float:
        """Between a middling setting and the best: regret is given in it."""
        return float(np.median(self.levels) - self.levels[0])


def drawn(space: Space, luck: random.Random) -> dict[str, Any]:
    """A setting at random, log-uniform where the dimension says so."""
    found: dict[str, Any] = {}
    for name, dimension in space.dimensions.items():
        if hasattr(dimension, "values"):
            found[name] = luck.choice(dimension.values)
        elif isinstance(dimension.low, int):
            found[name] = luck.randint(dimension.low, dimension.high)
        else:
            found[name] = math.exp(luck.uniform(math.log(dimension.low), math.log(dimension.high)))
    return found


def recorded(file: Path) -> Callable[[Params], list[float]]:
    """The curve of the two nearest recorded trials, weighed by their distance."""

    @cache
    def known() -> tuple[list[dict[str, Any]], np.ndarray]:
        trials = json.loads(file.read_text(encoding="utf-8"))["trials"]
        return trials, np.array([trial["validation/loss"][1:] for trial in trials])

    def curve(params: Params) -> list[float]:
        trials, curves = known()
        distances = np.array([_distance(params, trial["params"]) for trial in trials])
        near = np.argsort(distances)[:2]
        weights = 1 / (distances[near] + 1e-3)
        return list(map(float, (weights[:, None] * curves[near]).sum(axis=0) / weights.sum()))

    return curve


def _distance(left: Params, right: Params) -> float:
    return math.fsum(abs(math.log2(left[name] / right[name])) for name in left)


def mild(params: Params) -> list[float]:
    """Rates below the best one are slower and end a little worse; curves seldom cross after a third of the run."""
    off, rank = _parts(params)
    floor = 1.0 + 0.12 * off**2 + 0.02 * rank
    return [floor + math.exp(-(2.5 + 0.8 * max(-off, 0.0)) * rung / NUM_RUNGS) for rung in range(1, NUM_RUNGS + 1)]


def misleading(params: Params) -> list[float]:
    """The best settings are slow: what is ahead at a third of the run is overtaken by the end."""
    off, rank = _parts(params)
    speed = 1.5 * math.exp(0.45 * off)  # higher rates are faster
    floor = 1.0 + 0.10 * (off + 1.0) ** 2 + 0.02 * rank  # and the best rate is a low one
    return [floor + 1.2 * math.exp(-speed * 3 * rung / NUM_RUNGS) for rung in range(1, NUM_RUNGS + 1)]


def _parts(params: Params) -> tuple[float, float]:
    """How far the rate is from the middle of its range, in factors of e; how far the rank is from 8, in doublings."""
    return math.log(params["training.learning_rate"] / 1e-3), abs(math.log2(params["strategy.rank"] / 8))


@cache
def families() -> tuple[Family, ...]:
    return (
        Family("tiny", recorded(OF_TINY), 0.01),
        Family("minilm", recorded(OF_MINILM), 0.01),
        Family("mild", mild, 0.03),
        Family("misleading", misleading, 0.03),
    )
