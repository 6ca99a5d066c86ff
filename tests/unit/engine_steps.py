"""An engine's steps for tests that expect no failure, or a certain one."""

from __future__ import annotations

from ftsweep.control.jobs import as_error
from ftsweep.executors.base import Message
from ftsweep.worker.engine import Engine


def step(engine: Engine) -> list[Message]:
    """One step; raises what a job failed with, as the control process does."""
    messages = engine.step()
    for message in messages:
        if message["type"] == "failed":
            raise as_error(message)
    return messages
