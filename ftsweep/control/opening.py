"""What a command opens for a study: its folder, its trials in Optuna's database, the executor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftsweep.config.build import build, import_path
from ftsweep.config.schema import SweepConfig
from ftsweep.control.database import study_database
from ftsweep.executors.base import Executor, ExecutorContext, Message
from ftsweep.search.study import Study
from ftsweep.store.address.place import store_named
from ftsweep.store.folders import Store, StudyFolder


def store_of(config: SweepConfig) -> Store:
    return store_named(config.store.path)


def study_folder(config: SweepConfig) -> StudyFolder:
    return store_of(config).study(config.study.name)


def open_study(config: SweepConfig, folder: StudyFolder, generation: int = 1) -> Study:
    """The study's trials in Optuna's database."""
    return Study.open(
        study_database(config, folder),
        config.study.name,
        config.objective,
        config.branches,
        build(config.sampler, allowed=config.allowed_packages),
        build(config.pruner, allowed=config.allowed_packages),
        seed=config.seed.sampler,
        num_rungs=config.rungs.count,
        enqueue=config.study.enqueue,
        generation=generation,
    )


def make_executor(config: SweepConfig) -> Executor:
    """The executor, not opened yet."""
    with import_path(config.search_folders):
        executor: Executor = build(config.executor, allowed=config.allowed_packages)
    return executor


def executor_context(config: SweepConfig, log_folder: Path, *, holder: str) -> ExecutorContext:
    """What workers need to know. `holder` says who uses the devices; "" holds none."""

    def make_inline_worker(outbox: Callable[[Message], None], threads: int | None = None, lanes: int = 1) -> Any:
        from ftsweep.worker.process import build_worker

        return build_worker(outbox, threads, allowed_packages=config.allowed_packages, lanes=lanes)

    return ExecutorContext(
        log_folder=log_folder,
        python_path=config.search_folders,
        allowed_packages=config.allowed_packages,
        make_inline_worker=make_inline_worker,
        holder=holder,
    )
