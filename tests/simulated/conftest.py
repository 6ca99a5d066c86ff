"""A whole control process over simulated workers: the real loop, study, folders and recorder contract."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ftsweep.config.schema import Budget, RungSettings, SeedSettings, StoreSettings, StudySettings, SweepConfig
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, Choice, FloatInterval, Space
from ftsweep.recording.base import Recorder
from ftsweep.search.pruners import Median
from ftsweep.search.samplers import Random
from ftsweep.search.study import Study
from ftsweep.sweep import Sweep
from ftsweep.testing.simulated import SimulatedExecutor
from ftsweep.workspace import Store

NUM_RUNGS = 10


def loss_curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
    """Losses that fall towards a floor which the learning rate decides; the best rate is 1e-3."""
    rate = spec["config"]["training"]["learning_rate"]
    floor = abs(math.log10(rate) + 3)
    value = floor + 2.0 / (1 + rung)
    return {"validation/loss": value, "train/loss": value - 0.1}


def branch(name: str = "", rate: float = 1e-3) -> Branch:
    space = Space({"training.learning_rate": FloatInterval(1e-5, 1e-1, log=True), "strategy.rank": Choice((4, 8))})
    return Branch(name, {"training": {"learning_rate": rate}, "strategy": {"rank": 8}}, space)


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


MakeSweep = Callable[..., Sweep]


@pytest.fixture
def make_sweep(tmp_path: Path) -> Iterator[MakeSweep]:
    """A sweep on the same study folder each time: making a second one is what a new process does."""
    opened: list[Study] = []

    def make(
        curve: Any = loss_curve,
        *,
        workers: int = 1,
        trials: int = 20,
        branches: Any = None,
        seed: int = 0,
        **budget: Any,
    ) -> Sweep:
        for study in opened:
            study.close()
        opened.clear()
        config = SweepConfig(
            study=StudySettings("simulated"),
            store=StoreSettings(str(tmp_path)),
            budget=Budget(trials=trials, **budget),
            seed=SeedSettings(sampler=seed),
            rungs=RungSettings(NUM_RUNGS),
            objective=Objective(),
            branches=branches or (branch(),),
            executor={},
            sampler={},
            pruner={},
            recording={},
            report={},
        )
        folder = Store(tmp_path).study("simulated")
        study = Study.open(
            folder.store.optuna_database,
            "simulated",
            config.objective,
            config.branches,
            Random(),
            Median(),
            seed=seed,
            num_rungs=NUM_RUNGS,
        )
        opened.append(study)
        executor = SimulatedExecutor(curve, num_rungs=NUM_RUNGS, workers=workers)
        return Sweep(config, folder, study, executor, Calls(), clock=executor.clock)

    yield make
    for study in opened:
        study.close()
