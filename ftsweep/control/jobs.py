"""Jobs that are not trials: prepare, measure a baseline, estimate, test, export. Submit one, wait for its answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ftsweep import errors
from ftsweep.control.job_messages import JobMessages
from ftsweep.control.lost_workers import LostWorkers
from ftsweep.domain.messages import Ended, Failed, Lost, SingleJob, ToControl
from ftsweep.domain.trial import OutcomeKind
from ftsweep.errors import FtsweepError, StudyError
from ftsweep.executors.attempts import MEND_REMEDY, reason_of
from ftsweep.executors.base import Executor
from ftsweep.store.folders import StudyFolder

_LOGGER = logging.getLogger(__name__)

POLL_SECONDS = 1.0
MEMORY_REMEDY = "Take a smaller model or task.max_length, or a strategy with fewer weights; or give it more memory."
_MEMORY_ERRORS = ("OutOfMemoryError", "MemoryError")


class Stopped(Exception):  # noqa: N818 - a normal ending, not an error
    """The user asked to stop while something other than trials was going on."""


class Monitor:
    """Whoever watches: sees what goes on, and may have it stop. This one is nobody."""

    is_stopping: bool = False

    def show(self, phase: str) -> None:
        """Something goes on, in a few words."""

    def hear(self, message: ToControl) -> None:
        """What a worker or an executor wants a person to see."""
        log_told(message)


@dataclass
class Jobs:
    """Runs single jobs on an executor, whose trials are all over or set aside meanwhile."""

    executor: Executor
    folder: StudyFolder
    """In whose trials' folders the jobs work."""
    cache: Path
    lost_workers: LostWorkers
    monitor: Monitor

    def call(self, job: SingleJob, phase: str) -> dict[str, Any]:
        """The job's result; a lost worker, or a fault of the machine, is tried again.

        Raises:
            FtsweepError: what the worker raised, as the class it was there.
            StudyError: the job lost several workers, or nothing can be written.
            Stopped: the user asked to stop.
        """
        while True:
            message = self._call_once(job, phase)
            if message["type"] == "ended":
                return dict(message["result"])
            if message["type"] == "failed" and message["kind"] == "user":
                raise as_error(message)
            _LOGGER.warning("%s: %s", job["job"], reason_of(message))
            outcome = self.lost_workers.after(message)
            if outcome is not None:
                tail = f"The end of its log: {outcome.log_tail}" if outcome.log_tail else None
                raise StudyError(
                    f"{phase}: {outcome.reason}",
                    remedy=MEMORY_REMEDY if outcome.kind is OutcomeKind.INFEASIBLE else tail,
                )

    @property
    def make(self) -> JobMessages:
        """The messages that `call` and the executor take."""
        return JobMessages(self.folder, self.cache)

    def _call_once(self, job: SingleJob, phase: str) -> Ended | Failed | Lost:
        is_submitted = False
        while not self.monitor.is_stopping:
            if not is_submitted and self.executor.num_free > 0:
                self.executor.submit(job)
                is_submitted = True
            self.monitor.show(phase)
            answer: Ended | Failed | Lost | None = None
            for message in heard(self.executor):
                if message["type"] == "ended" or message["type"] == "failed" or message["type"] == "lost":
                    answer = message if message["job"] == job["job"] else answer
                else:
                    self.monitor.hear(message)
            if answer is not None:
                return answer
        raise Stopped


def heard(executor: Executor) -> list[ToControl]:
    """What workers have said, waiting a little for it, by the types that the executor's contract promises."""
    return cast(list[ToControl], executor.poll(POLL_SECONDS))


def log_told(message: ToControl) -> None:
    """Keep what a worker wants a person to see."""
    if message["type"] == "log":
        _LOGGER.log(logging.getLevelNamesMapping().get(message["level"].upper(), 20), "%s", message["text"])


def trial_job(number: int) -> str:
    """The name of a trial's job, as messages and MLflow spell it."""
    return f"trial-{number:04d}"


def trial_number(job: str) -> int:
    return int(job.removeprefix("trial-"))


def as_error(message: Failed) -> FtsweepError:
    """The error that a worker reported, as the class it was there; anything else is a StudyError."""
    known = getattr(errors, str(message["error_class"]), None)
    if known is errors.MissingExtraError:  # it makes its message itself, of what a worker does not tell
        return errors.UsageError(message["message"])
    if known is errors.DamagedFileError:
        return StudyError(message["message"])
    if isinstance(known, type) and issubclass(known, FtsweepError):
        return known(message["message"])
    if message["error_class"] in _MEMORY_ERRORS:
        text = f"no memory is left, not even for the smallest batch: {message['message'].partition(chr(10))[0]}"
        return StudyError(text, where=message.get("where"), remedy=MEMORY_REMEDY)
    error = StudyError(
        f"{message['error_class']}: {message['message']}", where=message.get("where"), remedy=MEND_REMEDY
    )
    error.add_note(message.get("traceback", ""))  # of the worker; `--debug` shows it
    return error
