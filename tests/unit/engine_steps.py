"""An engine's steps for tests that expect no failure, or a certain one."""

from __future__ import annotations

from typing import Any

from ftsweep.control.jobs import as_error
from ftsweep.domain.measurement import Measurement
from ftsweep.executors.base import Message
from ftsweep.worker.engine import Engine


def step(engine: Engine) -> list[Message]:
    """One step; raises what a job failed with, as the control process does."""
    messages = engine.step()
    for message in messages:
        if message["type"] == "failed":
            raise as_error(message)
    return messages


def finish(
    engine: Engine, job: dict[str, Any], *, stop_at: int | None = None
) -> tuple[list[Measurement], dict[str, Any]]:
    """Run a job to its end as a control process would that prunes it at this rung, or never; the measurements and the
    last message.
    """
    engine.admit(job)
    measured = []
    while True:
        for message in step(engine):
            if message["type"] == "ended":
                return measured, message
            measured.append(Measurement.from_dict(message["measurement"]))
            if measured[-1].rung == stop_at:
                engine.answer({"type": "stop", "job": job["job"], "kind": "pruned", "reason": "the test says so"})
            else:
                engine.answer({"type": "continue", "job": job["job"]})
