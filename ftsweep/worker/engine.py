"""What a worker does with its jobs: as many at a time as it has lanes, a step of each in a turn."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Sequence
from typing import Any

import torch

from ftsweep.domain import messages
from ftsweep.domain.messages import Answer, Message, Train
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.executors.failure import describe_failure
from ftsweep.models.device import allocated_bytes, describe_device
from ftsweep.worker.components import Components
from ftsweep.worker.forgetting_meters import ForgettingMeters
from ftsweep.worker.job_generators import JobGenerators
from ftsweep.worker.jobs import SingleJobs
from ftsweep.worker.shared_passes import SharedPasses
from ftsweep.worker.single_job import SingleJob
from ftsweep.worker.stages import WAIT_SECONDS
from ftsweep.worker.text_scores import TextScores
from ftsweep.worker.trial_job import DoesNotFitError, Shared, TrialJob

Job = TrialJob | SingleJob

_LOGGER = logging.getLogger(__name__)
_LEAK_BYTES = 1 << 20  # device memory that may stay allocated after a trial (cuBLAS workspaces) before the worker goes


class Engine:
    """Runs the jobs of one worker.

    Trials that are under way at once draw from generators of their own and share at most the frozen part of a pass, so
    that none comes to another result for its neighbours. A job that raises ends alone, as `failed`.
    """

    def __init__(self, *, threads: int | None = None, allowed_packages: Sequence[str] = (), lanes: int = 1) -> None:
        """`lanes`: how many jobs it takes at a time."""
        if threads is not None:
            torch.set_num_threads(threads)
        self.num_lanes = 1
        self.components = Components(allowed_packages)
        self.num_steps = 0
        self.is_spent = False
        meters = ForgettingMeters(self.components)
        self._generators = JobGenerators(self.components.device)
        self._shared = Shared(self.components, meters, TextScores(self.components))
        self._single_jobs = SingleJobs(self.components, meters)
        self._jobs: dict[str, Job] = {}
        self._without_room: set[str] = set()  # jobs that did not fit beside the others, until one of these ends
        self._memory_before = 0
        self.use_lanes(lanes)

    def use_lanes(self, lanes: int) -> None:
        """Take so many jobs at a time from now on. No trial is under way."""
        self.num_lanes = lanes
        self._shared.passes = SharedPasses(self.components, self._generators) if lanes > 1 else None

    def describe(self) -> dict[str, Any]:
        """Device, its memory and the number of lanes, for `ready`."""
        return {**describe_device(self.components.device), "lanes": self.num_lanes}

    def admit(self, message: Train | messages.SingleJob) -> None:
        """Take a job; it is worked on by `step`."""
        if len(self._jobs) >= self.num_lanes:
            raise RuntimeError(f"job {message['job']} came while {', '.join(self._jobs)} took every lane")
        self.components.sources.learn(message)
        self._jobs[message["job"]] = (
            TrialJob(message, self._shared) if message["type"] == "train" else SingleJob(message, self._single_jobs)
        )

    def answer(self, message: Answer) -> None:
        """`continue` for a trial that waits, `stop` or `pause` for any under way; too late it changes nothing.

        A paused trial ends without an outcome and goes on from its checkpoint when it is submitted again.
        """
        job = self._jobs.get(message["job"])
        if job is not None:
            job.answer(message)

    @property
    def is_busy(self) -> bool:
        """Whether `step` has something to do now."""
        return any(self._can_step(job) for job in self._jobs.values())

    @property
    def is_waiting(self) -> bool:
        """Whether every job waits for an answer."""
        return bool(self._jobs) and not self.is_busy

    def step(self) -> list[Message]:
        """A turn: advance every job that can by one step; what is to be sent. An error of its own ends a job alone."""
        jobs = [job for job in self._jobs.values() if self._can_step(job)]
        assert jobs, "no job has anything to do"
        if self._shared.passes is not None and len(jobs) > 1:
            lanes = [job.lane for job in jobs if isinstance(job, TrialJob)]
            self._shared.passes.share([lane for lane in lanes if lane is not None])
        messages = [message for job in jobs for message in self._advance(job)]
        if all(job.is_blocked and job.name in self._jobs for job in jobs):
            time.sleep(WAIT_SECONDS)
        return messages

    def _advance(self, job: Job) -> list[Message]:
        """One step of one job."""
        self._generators.give_to(job.name)
        before = job.num_steps
        try:
            messages = job.step()
        except DoesNotFitError as error:
            messages = self._make_wait(job, str(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it ends this job alone, and is told
            job.abandon()
            self.is_spent = True
            messages = [describe_failure(job.name, error)]
        self.num_steps += job.num_steps - before
        if messages and messages[-1]["type"] in ("ended", "failed"):
            self._leave(job)
        return messages

    def drain(self) -> None:
        """Checkpoint what is under way, before the worker ends; where that fails, the last checkpoint stands."""
        for job in self._jobs.values():
            self._generators.give_to(job.name)
            try:
                job.write_checkpoint()
            except Exception:
                _LOGGER.exception("%s: no checkpoint could be written at the end", job.name)

    def _can_step(self, job: Job) -> bool:
        return not job.is_waiting and job.name not in self._without_room

    def _make_wait(self, job: Job, reason: str) -> list[Message]:
        """A job that does not fit: beside others it waits until one of them ends, alone it is infeasible."""
        assert isinstance(job, TrialJob)
        if len(self._jobs) > 1:
            _LOGGER.info("%s waits for memory: %s", job.name, reason)
            self._without_room.add(job.name)
            return []
        job.abandon()
        self.is_spent = True
        return [job.end(Outcome(OutcomeKind.INFEASIBLE, f"the model does not fit into memory: {reason}"))]

    def _leave(self, job: Job) -> None:
        """Take the job out. When no trial is left, all device memory must have come back: else the worker is spent."""
        del self._jobs[job.name]
        self._without_room.clear()
        self._generators.forget(job.name)
        if isinstance(job, TrialJob):
            self._memory_before = max(self._memory_before, job.memory_before)
            if not any(isinstance(each, TrialJob) for each in self._jobs.values()):
                leaked = allocated_bytes(self.components.device) > self._memory_before + _LEAK_BYTES
                self.is_spent = self.is_spent or leaked
                self._memory_before = 0
            if not self._jobs:  # modules, bases and data stay: the next trial's collections need not go through them
                gc.collect()
                gc.freeze()
