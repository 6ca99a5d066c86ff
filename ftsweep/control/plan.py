"""What a study would do, before it does it: space, data, memory and time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftsweep.analysis.rung_cost import rung_cost
from ftsweep.config.schema import STAGES, SweepConfig
from ftsweep.control.continuity import earlier_manifest
from ftsweep.control.data_findings import collect, refuse
from ftsweep.control.jobs import Jobs, Monitor
from ftsweep.control.lanes import measured_lanes
from ftsweep.control.lost_workers import LostWorkers
from ftsweep.control.opening import executor_context, make_executor, store_of, study_folder
from ftsweep.control.prepare import prepare_data
from ftsweep.control.threads import time_sharing
from ftsweep.domain.space import Branch
from ftsweep.executors.base import Executor
from ftsweep.executors.sharing import AUTO
from ftsweep.store.folders import StudyFolder


def make_plan(config: SweepConfig, scratch: Path) -> dict[str, Any]:
    """Prepare the data and time a few steps of each branch's configuration as written, on a real worker.

    The time estimate is for the configured settings, without pruning: an upper bound where the space allows no longer
    trials than that. Jobs work in the folder `scratch`; the store keeps the prepared data and nothing else.

    Raises:
        UsageError: another version of ftsweep began the study of this name.
    """
    earlier_manifest(study_folder(config))  # another version's study cannot be gone on with
    executor = make_executor(config)
    executor.open(executor_context(config, scratch / "workers", holder=""))
    try:
        return _planned(config, executor, StudyFolder(scratch))
    finally:
        executor.close(kill=True)


def _planned(config: SweepConfig, executor: Executor, scratch: StudyFolder) -> dict[str, Any]:
    jobs = Jobs(executor, scratch, store_of(config).cache, LostWorkers(scratch), Monitor())
    data = prepare_data(config, jobs)
    refuse(list(collect(data)), config.study.name)
    branches = []
    for branch in config.branches:
        measured = jobs.call(jobs.make.estimate(branch), f"timing {branch.label}")
        cost = rung_cost(measured, config.rungs.count)
        branches.append(
            {
                "branch": branch.label,
                "space": {path: str(dimension) for path, dimension in branch.space.dimensions.items()},
                "default_in_space": branch.has_default_in_space(),
                "model": branch.config["model"],
                "strategy": branch.config["strategy"],
                "data": data[branch.label],
                "estimate": measured,
                "measuring": None if cost is None else cost._asdict(),
            }
        )
    sharing = time_sharing(config.branches, executor, jobs)
    lanes = measured_lanes(config, jobs) if executor.lanes == AUTO else {"lanes": executor.num_lanes, "branches": {}}
    num_workers = sharing["workers"] if sharing else max(1, executor.num_slots // executor.num_lanes)
    trial_seconds = sum(entry["estimate"]["trial_seconds"] for entry in branches) / len(branches)
    stage_seconds = sum(
        _stage_seconds(branch, each, config) for branch, each in zip(config.branches, branches, strict=True)
    )
    return {
        "study": config.study.name,
        "objective": {
            "key": config.objective.key,
            "direction": config.objective.direction,
            "is_generated": config.objective.is_generated,
        },
        "num_trials": config.budget.trials,
        "num_rungs": config.rungs.count,
        "num_workers": num_workers,
        "lanes": lanes,
        "sharing": sharing,
        "sampler": config.sampler,
        "pruner": config.pruner,
        "branches": branches,
        "study_seconds": (trial_seconds * config.budget.trials + stage_seconds) / num_workers,
    }


def _stage_seconds(branch: Branch, planned: dict[str, Any], config: SweepConfig) -> float:
    """Of all stages of a branch: once, unless their settings vary from trial to trial."""
    seconds: float = planned["estimate"].get("stage_seconds", 0.0)
    varies = any(path.startswith(f"{STAGES}.") for path in branch.space.dimensions)
    return seconds * (config.budget.trials / len(config.branches) if varies else 1)
