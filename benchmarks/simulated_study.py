"""A study of simulated trials in a process of its own: simulated_study.py FACTS FOLDER TRIALS WORKERS RECORDER FAULTS.

The loop, the study, the folders and the recorder are real; only the workers are simulated, on a clock of their own.
RECORDER: `none`, or `mlflow` as a sweep uses it. FAULTS: the share of trials that meet one.
FACTS gets JSON: CPU by thread, latencies by number of trials, memory, calls of MLflow's store.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from control_driver import peak_memory_mb

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
from ftsweep.recording.background import BackgroundRecorder
from ftsweep.recording.base import Recorder, StudyFacts
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.search.pruners import Median
from ftsweep.search.samplers import Tpe
from ftsweep.search.study import Study
from ftsweep.store.folders import Store
from ftsweep.testing.recorded import NUM_RUNGS, Misfortunes, RecordedCurves, recorded_branch
from ftsweep.testing.simulated import SimulatedExecutor

BUCKET = 1_000  # trials over which latencies are put together
_VERBS = ("create_run", "log_batch", "log_inputs", "update_run_info", "get_run", "search_runs", "set_tag")


class Latencies:
    """CPU and wall time of the loop's thread: of each ask, and from a measurement to its answer."""

    def __init__(self, study: Study, executor: SimulatedExecutor) -> None:
        self._study = study
        self.seen: dict[str, dict[int, list[tuple[float, float]]]] = {
            "ask": defaultdict(list),
            "reply": defaultdict(list),
        }
        self.simulation_seconds = 0.0  # CPU of what stands in for the workers
        self._arrived = (0.0, 0.0)
        study.ask = self._timed_ask(study.ask)  # type: ignore[method-assign]
        for name in ("poll", "submit", "reply"):
            setattr(executor, name, self._of_executor(name, getattr(executor, name)))

    def _note(self, verb: str, since: tuple[float, float]) -> None:
        cpu, wall = time.thread_time() - since[0], time.perf_counter() - since[1]
        self.seen[verb][self._study.num_asked // BUCKET].append((cpu, wall))

    def _timed_ask(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*args: Any, **settings: Any) -> Any:
            since = (time.thread_time(), time.perf_counter())
            asked = real(*args, **settings)
            self._note("ask", since)
            return asked

        return ask

    def _of_executor(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if name == "reply":
                self._note("reply", self._arrived)
            began = time.thread_time()
            answer = real(*args)
            self.simulation_seconds += time.thread_time() - began
            if name == "poll":
                self._arrived = (time.thread_time(), time.perf_counter())
            return answer

        return call


class Operations:
    """Calls of MLflow's store, and their CPU time."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.cpu: Counter[str] = Counter()

    def watch(self) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        for verb in _VERBS:
            setattr(SqlAlchemyStore, verb, self._counted(verb, getattr(SqlAlchemyStore, verb)))

    def _counted(self, verb: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **settings: Any) -> Any:
            began = time.thread_time()
            try:
                return real(*args, **settings)
            finally:
                self.counts[verb] += 1
                self.cpu[verb] += time.thread_time() - began

        return call


def make_recorder(kind: str, facts: StudyFacts, operations: Operations) -> Recorder:
    if kind == "none":
        return Recorder()
    operations.watch()
    recorder = BackgroundRecorder(MlflowRecorder(system_metrics=False), close_seconds=3600)
    recorder.open(facts)
    return recorder


def main() -> None:
    logging.disable(logging.WARNING)
    facts_file, folder, trials, workers, kind, faults = sys.argv[1:]
    root = Path(folder)
    config = SweepConfig(
        study=StudySettings("simulated"),
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
    study_folder = Store(root).study("simulated")
    study = Study.open(
        study_folder.store.optuna_database,
        "simulated",
        config.objective,
        config.branches,
        Tpe(),
        Median(),
        seed=0,
        num_rungs=NUM_RUNGS,
    )
    curves = Misfortunes(RecordedCurves(), share=float(faults))
    executor = SimulatedExecutor(curves, num_rungs=NUM_RUNGS, workers=int(workers))
    operations = Operations()
    data = {"fingerprint": "simulated", "num_rows": {"train": 100, "validation": 50}}
    recorder = make_recorder(kind, StudyFacts(study_folder, config.objective, {}, "", data), operations)
    latencies = Latencies(study, executor)
    sweep = LiveStudy(config, study_folder, study, executor, recorder, clock=executor.clock)
    sweep.prepare()
    sweep.measure_baselines()
    simulated = executor.now
    began = (time.process_time(), time.thread_time(), time.perf_counter())
    sweep.search()
    loop = (time.process_time() - began[0], time.thread_time() - began[1], time.perf_counter() - began[2])
    warnings = recorder.close(finished=True)
    facts = {
        "trials": len(sweep.records),
        "rungs": sum(len(record.measurements) for record in sweep.records),
        "simulated_seconds": executor.now - simulated,
        "cpu_seconds": time.process_time() - began[0],
        "loop_cpu_seconds": loop[1],
        "simulation_cpu_seconds": latencies.simulation_seconds,
        "search_wall_seconds": loop[2],
        "peak_memory_mb": peak_memory_mb(),
        "latencies": latencies.seen,
        "operations": operations.counts,
        "operations_cpu": operations.cpu,
        "kinds": Counter(str(record.outcome.kind) for record in sweep.records if record.outcome),
        "warnings": warnings,
        "threads": threading.active_count(),
    }
    study.close()
    Path(facts_file).write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
