"""Learning curves of real trials on the embedded model, for simulated ones; and the misfortunes that befall trials."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.domain.space import Branch, Choice, FloatInterval, IntInterval, Space
from ftsweep.domain.trial import Outcome, OutcomeKind

NUM_RUNGS = 10
SPACE = Space(
    {
        "training.learning_rate": FloatInterval(1e-4, 1e-2, log=True),
        "training.batch_size": Choice((8, 16, 32)),
        "training.epochs": IntInterval(1, 3),
        "strategy.rank": Choice((4, 8, 16)),
    }
)
"""The space of the quickstart, in which the trials were recorded."""

DEFAULT = {"training": {"learning_rate": 1e-3, "batch_size": 16, "epochs": 2}, "strategy": {"rank": 8}}


def recorded_branch(**nodes: Any) -> Branch:
    """The branch of those trials; `nodes` are further nodes of its configuration."""
    return Branch("", {**DEFAULT, "seed": {"data": 0, "model": 0, "sampler": 0}, **nodes}, SPACE)


class RecordedCurves:
    """Each trial follows the recorded trial whose setting is nearest, a little worse with the distance.

    A trial's own noise is drawn from its number, so a curve does not depend on when it is asked for.
    """

    def __init__(self, *, noise: float = 0.01) -> None:
        data = json.loads((Path(__file__).parent / "recorded_curves.json").read_text(encoding="utf-8"))
        self.trials: list[dict[str, Any]] = data["trials"]
        self._noise = noise

    def __call__(self, spec: Mapping[str, Any], rung: int) -> dict[str, float]:
        distance, trial = min(
            ((_distance(spec["params"], trial["params"]), trial) for trial in self.trials), key=lambda pair: pair[0]
        )
        shift = 0.02 * distance + self._noise * random.Random(spec["number"]).gauss(0, 1)  # noqa: S311 - no secret
        return {key: trial[key][rung] + shift for key in ("validation/loss", "train/loss")}


@dataclass
class Misfortunes:
    """Curves with faults: `share` of the trials meet one of five, at a rung that their number decides."""

    curves: RecordedCurves
    share: float = 0.1
    met: Counter[str] = field(default_factory=Counter)
    lost: set[int] = field(default_factory=set)

    def __call__(self, spec: Mapping[str, Any], rung: int) -> Any:
        number = int(spec["number"])
        fate = random.Random(1_000_003 * (number + 1))  # noqa: S311 - no secret
        if fate.random() >= self.share or rung != fate.randint(1, NUM_RUNGS):
            return self.curves(spec, rung)
        kind = fate.choice(("killed", "silent", "diverged", "memory", "user error"))
        if kind in ("killed", "silent") and number in self.lost:
            return self.curves(spec, rung)  # the second worker has more luck
        self.met[kind] += 1
        match kind:
            case "diverged":
                return Outcome(OutcomeKind.DIVERGED, "the loss became NaN", rung=rung)
            case "memory":
                return Outcome(OutcomeKind.INFEASIBLE, "out of memory at micro-batch size 1")
            case "user error":
                where = f"my_task.py:{number}"  # three alike would end the study
                told = {"error_class": "ValueError", "message": f"row {number}", "where": where, "traceback": ""}
                return {"type": "failed", "kind": "user", **told}
        self.lost.add(number)
        if kind == "silent":
            return {"type": "lost", "reason": "no sign of life for 120 seconds", "after_seconds": 120.0}
        return {"type": "lost", "reason": "worker 0 was killed by SIGKILL", "log_tail": ""}


def _distance(left: Mapping[str, Any], right: Mapping[str, Any]) -> float:
    return math.fsum(abs(math.log2(left[name] / right[name])) for name in right)
