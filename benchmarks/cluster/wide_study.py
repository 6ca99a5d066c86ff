"""A study of trials of a minute each on 64 simulated slots, in a process of its own.

wide_study.py FACTS FOLDER TRIALS ADDRESS. The loop, the study, the folders, the executor, the bridge, Ray and the slots
are real; only the workers are simulated. FACTS gets JSON: wall and CPU seconds between the first trial's beginning and
the last one's end.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from simulated_slots import SLOTS_A_HOST

from ftsweep.cluster import RayCluster
from ftsweep.config.schema import (
    Budget,
    RungSettings,
    SeedSettings,
    SelectionSettings,
    StoreSettings,
    StudySettings,
    SweepConfig,
)
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.objective import Objective
from ftsweep.executors.base import ExecutorContext
from ftsweep.executors.process import WorkerProcess
from ftsweep.recording.base import Recorder
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import Tpe
from ftsweep.search.study import Study
from ftsweep.store.folders import Store
from ftsweep.testing.recorded import NUM_RUNGS, recorded_branch

SLOTS = 4 * SLOTS_A_HOST


class Cluster(RayCluster):
    """With the bridge to simulated slots."""

    def _bridge_command(self) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("simulated_slots.py")), *super()._bridge_command()[-1:]]

    @property
    def bridge(self) -> psutil.Process:
        assert isinstance(self._bridge, WorkerProcess)
        return psutil.Process(self._bridge.pid)


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    facts_file, folder, trials, address = sys.argv[1:]
    config = SweepConfig(
        study=StudySettings("wide"),
        store=StoreSettings(folder),
        budget=Budget(trials=int(trials)),
        seed=SeedSettings(sampler=0),
        rungs=RungSettings(NUM_RUNGS),
        objective=Objective(),
        selection=SelectionSettings(top=3, seeds=0),
        branches=(recorded_branch(),),
        executor={},
        sampler={},
        pruner={},
        recording={},
        report={},
    )
    place = Store(Path(folder)).study("wide")
    study = Study.open(
        place.store.optuna_database,
        "wide",
        config.objective,
        config.branches,
        Tpe(),
        NoPruner(),
        seed=0,
        num_rungs=NUM_RUNGS,
    )
    executor = Cluster(address=address, slots=[{"cpus": 1 / SLOTS}], threads=1)
    executor.open(ExecutorContext(log_folder=place.path / "logs"))
    sweep = LiveStudy(config, place, study, executor, Recorder())
    while executor.num_free < SLOTS:
        executor.poll(0.5)
    sweep.prepare()
    sweep.measure_baselines()
    began = (time.perf_counter(), time.process_time(), cpu_seconds(executor.bridge))
    sweep.search()
    facts: dict[str, Any] = {
        "wall_seconds": time.perf_counter() - began[0],
        "control_seconds": time.process_time() - began[1],
        "bridge_seconds": cpu_seconds(executor.bridge) - began[2],
        "bridge_mb": executor.bridge.memory_info().rss / 1e6,
        "trials": len(sweep.records),
        "rungs": sum(len(record.measurements) for record in sweep.records),
        "kinds": sorted({str(record.outcome.kind) for record in sweep.records if record.outcome}),
    }
    executor.close()
    study.close()
    Path(facts_file).write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
