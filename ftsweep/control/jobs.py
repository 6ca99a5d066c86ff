"""Jobs that are not trials: prepare, measure a baseline, estimate, test, export. Submit one, wait for its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftsweep import errors
from ftsweep.config.nodes.space import extremes
from ftsweep.control.losses import Losses
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import OutcomeKind
from ftsweep.errors import FtsweepError, StudyError
from ftsweep.executors.attempts import is_machines_fault, reason_of
from ftsweep.executors.base import Executor, Message
from ftsweep.store.folders import StudyFolder, TrialFolder

_LOGGER = logging.getLogger(__name__)

POLL_SECONDS = 1.0
ENDINGS = frozenset({"ended", "failed", "lost"})
MEMORY_REMEDY = "Take a smaller model or task.max_length, or a strategy with fewer weights; or give it more memory."
_MEMORY_ERRORS = ("OutOfMemoryError", "MemoryError")


Call = Callable[[str, str, TrialFolder, Mapping[str, Any]], dict[str, Any]]
"""Runs one job about an ended run on a worker: kind, what goes on in words, the run's folder, extra keys."""


class Stopped(Exception):  # noqa: N818 - a normal ending, not an error
    """The user asked to stop while something other than trials was going on."""


class Monitor:
    """Whoever watches: sees what goes on, and may have it stop. This one is nobody."""

    is_stopping: bool = False

    def show(self, phase: str) -> None:
        """Something goes on, in a few words."""


@dataclass
class Jobs:
    """Runs single jobs on an executor, whose trials are all over or set aside meanwhile."""

    executor: Executor
    folder: StudyFolder
    """In whose trials' folders the jobs work."""
    cache: Path
    losses: Losses
    monitor: Monitor

    def call(self, job: Message, phase: str) -> dict[str, Any]:
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
            if not is_machines_fault(message):
                raise as_error(message)
            _LOGGER.warning("%s: %s", job["job"], reason_of(message))
            outcome = self.losses.after(message)
            if outcome is not None:
                tail = f"The end of its log: {outcome.log_tail}" if outcome.log_tail else None
                raise StudyError(
                    f"{phase}: {outcome.reason}",
                    remedy=MEMORY_REMEDY if outcome.kind is OutcomeKind.INFEASIBLE else tail,
                )

    def about_branch(self, kind: str, branch: Branch) -> Message:
        """A job about a branch's configuration as written."""
        spec = {"number": -1, "branch": branch.name, "is_default": True, "params": {}, "config": dict(branch.config)}
        return self.make(kind, f"{kind}-{branch.label}", self.folder.baseline(branch.label), spec)

    def about_data(self, branch: Branch) -> Message:
        """The job that prepares a branch's data; it checks the tasks and strategies that the search may make."""
        searched = {"tasks": _searched_nodes(branch, "task"), "strategies": _searched_nodes(branch, "strategy")}
        return {**self.about_branch("prepare", branch), **searched}

    def about_run(self, kind: str, folder: TrialFolder, extra: Mapping[str, Any]) -> Message:
        """A job about an ended trial or fresh run. `untouched` among the extra keys is a matter of the job's spec."""
        spec = {**folder.spec(), **{key: value for key, value in extra.items() if key == "untouched"}}
        job = self.make(kind, f"{kind}-{folder.path.name}", folder, spec)
        return {**job, **{key: value for key, value in extra.items() if key != "untouched"}}

    def make(self, kind: str, name: str, folder: TrialFolder, spec: Mapping[str, Any]) -> Message:
        """Any job, as the message that a worker takes."""
        places = {"folder": str(folder.path.absolute()), "cache": str(self.cache.absolute())}
        return {"type": kind, "job": name, **places, "spec": dict(spec)}

    def _call_once(self, job: Message, phase: str) -> Message:
        is_submitted = False
        while not self.monitor.is_stopping:
            if not is_submitted and self.executor.num_free > 0:
                self.executor.submit(job)
                is_submitted = True
            self.monitor.show(phase)
            answer: Message | None = None
            for message in self.executor.poll(POLL_SECONDS):
                if message.get("job") == job["job"] and message["type"] in ENDINGS:
                    answer = message
                else:
                    log_told(message)
            if answer is not None:
                return answer
        raise Stopped


def log_told(message: Message) -> None:
    """Keep what a worker wants a person to see."""
    if message["type"] == "log":
        _LOGGER.log(logging.getLevelNamesMapping().get(message["level"].upper(), 20), "%s", message["text"])


def _searched_nodes(branch: Branch, group: str) -> list[Any]:
    """A component node with every value that the search may give one of its settings."""
    default = branch.default_params()
    params = [
        {**default, branch.param_name(path): value}
        for path, dimension in branch.space.dimensions.items()
        if path.startswith(f"{group}.")
        for value in extremes(dimension)
    ]
    return [branch.config_with(each)[group] for each in params]


def trial_job(number: int) -> str:
    """The name of a trial's job, as messages and MLflow spell it."""
    return f"trial-{number:04d}"


def trial_number(job: str) -> int:
    return int(job.removeprefix("trial-"))


def as_error(message: Message) -> FtsweepError:
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
    return StudyError(f"{message['error_class']}: {message['message']}", where=message.get("where"))
