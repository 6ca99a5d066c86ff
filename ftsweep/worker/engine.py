"""What a worker does with its jobs: as many at a time as it has lanes, a step of each in turn."""

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
from ftsweep.worker.jobs import SingleJob, SingleJobs
from ftsweep.worker.stages import WAIT_SECONDS
from ftsweep.worker.text_scores import TextScores
from ftsweep.worker.trial_job import DoesNotFitError, Shared, TrialJob

Job = TrialJob | SingleJob

_LOGGER = logging.getLogger(__name__)
_LEAK_BYTES = 1 << 20  # device memory that may stay allocated after a trial (cuBLAS workspaces) before the worker goes


class Engine:
    """Runs the jobs of one worker.

    Trials that are under way at once have a base each and draw from generators of their own, so that none comes to
    another result for its neighbours; only memory they share. A job that raises ends alone, as `failed`.
    """

    def __init__(self, *, threads: int | None = None, allowed_packages: Sequence[str] = (), lanes: int = 1) -> None:
        """`lanes`: how many jobs it takes at a time."""
        if threads is not None:
            torch.set_num_threads(threads)
        self.num_lanes = lanes
        self.components = Components(allowed_packages)
        self.num_steps = 0
        self.is_spent = False
        meters = ForgettingMeters(self.components)
        self._shared = Shared(self.components, meters, TextScores(self.components))
        self._single_jobs = SingleJobs(self.components, meters)
        self._jobs: dict[str, Job] = {}  # the one that stepped last at the end
        self._without_room: set[str] = set()  # jobs that did not fit beside the others, until one of these ends
        self._generators = JobGenerators(self.components.device)
        self._memory_before = 0

    def describe(self) -> dict[str, Any]:
        """Device, its memory and the number of lanes, for `ready`."""
        return {**describe_device(self.components.device), "lanes": self.num_lanes}

    def admit(self, message: Train | messages.SingleJob) -> None:
        """Take a job; it is worked on by `step`."""
        if len(self._jobs) >= self.num_lanes:
            raise RuntimeError(f"job {message['job']} came while {', '.join(self._jobs)} took every lane")
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
        """Advance the job whose turn it is; what is to be sent. An error of its own is the job's, and ends it."""
        job = self._next()
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
        elif job.is_blocked and all(each.is_blocked or each.is_waiting for each in self._jobs.values()):
            time.sleep(WAIT_SECONDS)
        return messages

    def drain(self) -> None:
        """Checkpoint what is under way, before the worker ends; where that fails, the last checkpoint stands."""
        for job in self._jobs.values():
            self._generators.give_to(job.name)
            try:
                job.write_checkpoint()
            except Exception:
                _LOGGER.exception("%s: no checkpoint could be written at the end", job.name)

    def _next(self) -> Job:
        """The job that has not stepped for longest of those that can."""
        job = next((job for job in self._jobs.values() if self._can_step(job)), None)
        assert job is not None, "no job has anything to do"
        self._jobs[job.name] = self._jobs.pop(job.name)
        return job

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
