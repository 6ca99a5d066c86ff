"""Threads and workers that fit the machine: timed when a study begins, written down, and kept."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ftsweep.control.jobs import Jobs
from ftsweep.domain.space import Branch
from ftsweep.domain.spelling import plural
from ftsweep.errors import FtsweepError
from ftsweep.executors.base import Executor
from ftsweep.executors.devices import num_cores
from ftsweep.executors.sharing import Sharing
from ftsweep.store.atomic import read_json, understood, write_json
from ftsweep.store.folders import StudyFolder

_LOGGER = logging.getLogger(__name__)


def time_sharing(branches: Sequence[Branch], executor: Executor, jobs: Jobs) -> dict[str, Any] | None:
    """What a step takes with the numbers of threads that the executor offers, all branches together, and what it makes
    of that; None where nothing is left to choose, or nothing could be timed. What a configuration does not survive its
    trial tells; here it is only not timed."""
    counts = list(executor.thread_counts)
    if not counts:
        return None
    seconds: dict[int, float] = defaultdict(float)
    memory_gib = 0.0
    for branch in branches:
        try:
            timed = jobs.call(jobs.make.threads(branch, counts), f"timing threads for {branch.label}")
        except FtsweepError as error:
            _LOGGER.warning("threads were not timed for %s: %s", branch.label, error)
            continue
        found = {int(count): value for count, value in timed["step_seconds"].items()}
        if not found:
            continue
        memory_gib = max(memory_gib, timed["memory_gib"])
        counts = sorted(found)
        seconds = {count: seconds[count] + found[count] for count in counts}
    if not seconds:
        return None
    sharing = executor.choose(seconds, memory_gib)
    return {
        **asdict(sharing),
        "step_seconds": {str(key): value for key, value in seconds.items()},
        "cores": num_cores(),
    }


def settle_sharing(folder: StudyFolder, branches: Sequence[Branch], executor: Executor, jobs: Jobs) -> str:
    """Choose once per study, before its first trial: a trial that goes on later has the threads it began with. What was
    chosen and why, for a person; "" where nothing was."""
    found = time_sharing(branches, executor, jobs)
    if found is None:
        return ""
    write_json(folder.threads_file, found)
    _LOGGER.info("%s", sharing_text(found))
    executor.settle(Sharing(found["workers"], found["threads"]))
    return sharing_text(found)


def take_up_sharing(folder: StudyFolder, executor: Executor) -> str:
    """Have the executor, not opened yet, go on with what the study began with; a warning where the machine differs."""
    if not folder.threads_file.exists() or not executor.thread_counts:
        return ""
    with understood(folder.threads_file):
        found = read_json(folder.threads_file)
        sharing, cores = Sharing(int(found["workers"]), int(found["threads"])), int(found["cores"])
    executor.settle(sharing)
    if cores == num_cores():
        return ""
    return (
        f"Threads were chosen on a machine with {plural(cores, 'core')}, and this one has {num_cores()}: "
        f"{_shared(sharing)} as before, so that trials go on to the same values; executor.threads=N and "
        "executor.workers=N set others"
    )


def sharing_text(found: dict[str, Any]) -> str:
    """What was timed and chosen, for a person."""
    timed = ", ".join(f"{seconds:.3g} s with {count}" for count, seconds in found["step_seconds"].items())
    return f"{_shared(Sharing(found['workers'], found['threads']))}: a step takes {timed}"


def _shared(sharing: Sharing) -> str:
    each = " each" if sharing.workers > 1 else ""
    return f"{plural(sharing.workers, 'worker')} with {plural(sharing.threads, 'thread')}{each}"
