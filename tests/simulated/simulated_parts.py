"""A whole control process over simulated workers: the real loop, study, folders and recorder contract."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ftsweep.domain.space import Branch, Choice, FloatInterval, Space
from ftsweep.recording.base import Recorder

NUM_RUNGS = 10


def loss_curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
    """Losses that fall towards a floor which the learning rate decides; the best rate is 1e-3."""
    rate = spec["config"]["training"]["learning_rate"]
    floor = abs(math.log10(rate) + 3)
    value = floor + 2.0 / (1 + rung)
    return {"validation/loss": value, "train/loss": value - 0.1}


def branch(name: str = "", rate: float = 1e-3) -> Branch:
    space = Space({"training.learning_rate": FloatInterval(1e-5, 1e-1, log=True), "strategy.rank": Choice((4, 8))})
    seed = {"data": 0, "model": 0, "sampler": 0}
    return Branch(name, {"training": {"learning_rate": rate}, "strategy": {"rank": 8}, "seed": seed}, space)


@dataclass
class Calls(Recorder):
    """A recorder that counts what it is told."""

    begun: list[int] = field(default_factory=list)
    measured: list[tuple[int, int]] = field(default_factory=list)
    ended: list[tuple[int, str]] = field(default_factory=list)

    def begin_trial(self, proposal: Any, **_: Any) -> None:
        self.begun.append(proposal.number)

    def measure_all(self, proposal: Any, measurements: Any) -> None:
        self.measured += [(proposal.number, measurement.rung) for measurement in measurements]

    def end_trial(self, proposal: Any, outcome: Any, **_: Any) -> None:
        self.ended.append((proposal.number, outcome.kind.value))
