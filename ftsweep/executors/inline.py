"""One worker inside the control process: for breakpoints and profilers, not for speed or safety."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque

from ftsweep.domain.messages import Answer, Quit
from ftsweep.errors import ConfigError
from ftsweep.executors.base import Executor, ExecutorContext, InlineWorker, Message
from ftsweep.executors.devices import MAX_COUNT
from ftsweep.executors.lanes import Lanes, checked_lanes, first_lanes


class Inline(Executor):
    """Runs jobs while `poll` waits. Messages take the way through JSON, so that what works here works elsewhere.

    `threads`: null leaves the choice to the training library. `lanes`: trials that it trains at once. A job that kills
    its process kills the study.
    """

    def __init__(self, *, threads: int | None = None, lanes: Lanes = 1) -> None:
        if threads is not None and not 1 <= threads <= MAX_COUNT:
            remedy = f"Give 1 or more, at most {MAX_COUNT}."
            raise ConfigError(f"{threads} is not a number of threads", where="executor.threads", remedy=remedy)
        self.threads = threads
        self._context: ExecutorContext | None = None
        self._worker: InlineWorker | None = None
        self._inbox: deque[Message] = deque()
        self._arrived: list[Message] = []
        self._jobs: set[str] = set()
        self.lanes, self.num_lanes = checked_lanes(lanes), first_lanes(lanes)
        self._worker_lanes = self.num_lanes  # as the worker says: an engine may have several without being asked
        self._awaits_go = False
        self._added_paths: list[str] = []

    def open(self, context: ExecutorContext) -> None:
        if context.make_inline_worker is None:
            raise ConfigError("nothing here can build a worker in this process", where="executor")
        self._context = context
        self._added_paths = [str(folder) for folder in context.python_path if str(folder) not in sys.path]
        sys.path[:0] = self._added_paths

    @property
    def num_slots(self) -> int:
        return self._worker_lanes

    def use_lanes(self, lanes: int) -> None:
        self.num_lanes = self._worker_lanes = lanes
        if self._worker is not None:
            self._inbox.append({"type": "lanes", "lanes": lanes})

    @property
    def num_free(self) -> int:
        return self.num_slots - len(self._jobs) if self._worker is not None else 0

    def submit(self, job: Message) -> None:
        if job["job"] in self._jobs:
            raise RuntimeError(f"job {job['job']} is under way already")
        if not self.num_free:
            raise RuntimeError(f"no worker is free for job {job['job']}")
        self._jobs.add(job["job"])
        self._inbox.append(_through_json(job))
        self._awaits_go = self.num_lanes > 1

    def reply(self, job: str, message: Answer) -> None:
        if job in self._jobs:
            self._inbox.append(_through_json({**message, "job": job}))

    def poll(self, timeout_seconds: float) -> list[Message]:
        """As promised by `Executor`; returns at once when no job can go on before it gets an answer."""
        if self._awaits_go and self._jobs:
            self._awaits_go = False
            self._inbox.append({"type": "go"})
        deadline = time.monotonic() + timeout_seconds
        is_busy = True
        while is_busy and not self._arrived and self._context is not None:
            is_busy = self._advance()
            if time.monotonic() >= deadline:
                break
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self, *, kill: bool = False) -> None:
        if self._context is None:
            return
        self._context = None
        worker, self._worker = self._worker, None
        try:
            if worker is not None and not kill:
                worker.handle(Quit(type="quit"))
        finally:
            for path in self._added_paths:
                if path in sys.path:
                    sys.path.remove(path)

    def _advance(self) -> bool:
        """Hand over what was submitted and go one step; whether there is more to do."""
        if self._worker is None or self._worker.is_finished:
            assert self._context is not None
            assert self._context.make_inline_worker is not None
            self._worker = None  # a spent one gives its memory back before the next is built
            several = {"lanes": self.num_lanes} if self.num_lanes > 1 else {}
            self._worker = self._context.make_inline_worker(self._hear, self.threads, **several)
            self._worker.announce()
            return True
        while self._inbox:
            self._worker.handle(self._inbox.popleft())
        return self._worker.advance()

    def _hear(self, message: Message) -> None:
        message = {**_through_json(message), "worker": f"process {os.getpid()}"}
        match message["type"]:
            case "spent" | "heartbeat":
                return
            case "turn":
                self._awaits_go = True
                for said in message["messages"]:
                    self._hear(said)
                return
            case "ready":
                self._worker_lanes = message["lanes"]
            case "ended" | "failed" | "lost":
                self._jobs.discard(message["job"])
        self._arrived.append(message)


def _through_json(message: Message) -> Message:
    copy: Message = json.loads(json.dumps(message))
    return copy
