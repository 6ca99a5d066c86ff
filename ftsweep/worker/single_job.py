"""A job that is no trial, as the engine has it."""

from __future__ import annotations

from ftsweep.domain import messages
from ftsweep.domain.messages import Answer, Message
from ftsweep.worker.jobs import SingleJobs


class SingleJob:
    """A job that is over with its first step."""

    num_steps = 0
    is_waiting = False
    is_blocked = False

    def __init__(self, message: messages.SingleJob, jobs: SingleJobs) -> None:
        self.name: str = message["job"]
        self._message = message
        self._jobs = jobs

    def answer(self, message: Answer) -> None:
        """There is nothing to answer."""

    def step(self) -> list[Message]:
        return [{"type": "ended", "job": self.name, "result": self._jobs.do(self._message)}]

    def write_checkpoint(self) -> None:
        """Submitted again, it is done from the start."""

    def abandon(self) -> None:
        """It holds nothing between steps."""
