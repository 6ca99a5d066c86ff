"""Sweeps on one study folder, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from simulated_parts import NUM_RUNGS, Calls, branch, loss_curve

from ftsweep.config.schema import (
    Budget,
    RungSettings,
    SeedSettings,
    SelectionSettings,
    StoreSettings,
    StudySettings,
    SweepConfig,
)
from ftsweep.control.heeding import with_raised_budget
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.importance import Importances
from ftsweep.domain.objective import Objective
from ftsweep.search.pruners import Median, Pruner
from ftsweep.search.samplers import Random
from ftsweep.search.study import Study
from ftsweep.store.folders import Store
from ftsweep.store.inbox import Inbox
from ftsweep.testing.simulated import SimulatedExecutor

MakeSweep = Callable[..., LiveStudy]


@pytest.fixture(autouse=True)
def without_importances(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are computed in a process of their own, which takes seconds, and are another folder's subject."""
    monkeypatch.setattr(Study, "computing_importances", lambda study: nullcontext(Importances))


@pytest.fixture
def make_sweep(tmp_path: Path, copied_tables: None) -> Iterator[MakeSweep]:
    """A sweep on the same study folder each time: making a second one is what a new process does."""
    opened: list[Study] = []

    def make(
        curve: Any = loss_curve,
        *,
        workers: int = 1,
        trials: int = 20,
        branches: Any = None,
        seed: int = 0,
        top: int = 1,
        seeds: int = 0,
        share: float = 0.5,
        row_noise: float = 0.0,
        quantity: bool = False,
        stops: Mapping[str, Any] | None = None,
        generation: int = 1,
        pruner: Pruner | None = None,
        place: Path = tmp_path,
        **budget: Any,
    ) -> LiveStudy:
        for study in opened:
            study.close()
        opened.clear()
        config = SweepConfig(
            study=StudySettings("simulated", **(stops or {})),
            store=StoreSettings(str(place)),
            budget=Budget(trials=trials, **budget),
            seed=SeedSettings(sampler=seed),
            rungs=RungSettings(NUM_RUNGS),
            objective=Objective(),
            selection=SelectionSettings(top=top, seeds=seeds, budget=share, quantity=quantity),
            branches=branches or (branch(),),
            executor={},
            sampler={},
            pruner={},
            recording={},
            report={},
        )
        folder = Store(place).study("simulated")
        config = with_raised_budget(config, Inbox(folder).answers())
        study = Study.open(
            folder.store.optuna_database,
            "simulated",
            config.objective,
            config.branches,
            Random(),
            pruner or Median(),
            seed=seed,
            num_rungs=NUM_RUNGS,
            generation=generation,
        )
        opened.append(study)
        executor = SimulatedExecutor(curve, num_rungs=NUM_RUNGS, workers=workers, row_noise=row_noise)
        return LiveStudy(config, folder, study, executor, Calls(), clock=executor.clock)

    yield make
    for study in opened:
        study.close()
