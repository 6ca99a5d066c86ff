"""A whole control process over simulated workers: the real loop, study, folders and recorder contract."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.messages import Message
from ftsweep.domain.result import StudyResult
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


class Killed(Exception):  # noqa: N818 - as in the other tests of kills
    """Stands for a kill: nothing after it is done."""


def concluded_through_kills(begin: Callable[[int], LiveStudy]) -> tuple[LiveStudy, StudyResult]:
    """The conclusion of a search, killed after 6 messages, 7, 8, ... and begun again with 1 to 3 workers.

    begin: the study searched by a new process with so many workers.
    """
    for num_kills in range(60):
        sweep = begin(1 + num_kills % 3)
        poll, left = sweep.executor.poll, itertools.count(6 + num_kills, -1)

        def dying(seconds: float, poll: Any = poll, left: Iterator[int] = left) -> list[Message]:
            if next(left) <= 0:
                raise Killed
            return list(poll(seconds))

        sweep.executor.poll = dying  # type: ignore[method-assign]
        try:
            result = sweep.conclude()
        except Killed:
            continue
        assert num_kills > 5
        return sweep, result
    raise AssertionError("it comes to no end")


def timeless(result: StudyResult) -> dict[str, Any]:
    """What a study came to, without the times."""
    return {key: value for key, value in result.to_dict().items() if key in ("model", "setting", "sentence", "test")}
