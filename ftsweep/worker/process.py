"""The worker process (`python -m ftsweep.worker.process`): jobs in, messages out, an engine in between.

The process reads JSON lines on standard input and writes them on what was its standard output when it started; prints
of user code go to the log instead. It never imports optuna, mlflow or plotly.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast

from ftsweep.domain.messages import Answer, Lost, Message, Quit, SingleJob, Spent, Train, Turn
from ftsweep.errors import ConfigError
from ftsweep.executors.base import Outbox
from ftsweep.executors.failure import describe_failure
from ftsweep.executors.worker_pipes import WorkerPipes
from ftsweep.redaction import RedactingFormatter

_LOGGER = logging.getLogger("ftsweep.worker.process")
_JOB_LOGGERS = ("ftsweep", "transformers", "py.warnings")
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Engine(Protocol):
    """What a worker drives: see `ftsweep.worker.engine.Engine`. Built with `threads` and `allowed_packages`, and with
    `lanes` where there are to be several."""

    num_lanes: int
    num_steps: int

    @property
    def is_busy(self) -> bool: ...
    @property
    def is_spent(self) -> bool: ...
    def describe(self) -> Mapping[str, Any]: ...
    def use_lanes(self, lanes: int) -> None: ...
    def admit(self, job: Train | SingleJob, /) -> None: ...
    def answer(self, message: Answer) -> None: ...
    def step(self) -> list[Message]: ...
    def drain(self) -> None: ...


class Worker:
    """Runs an engine's jobs and tells what becomes of each. It knows nothing of processes and pipes.

    Every job that it takes ends in exactly one `ended` or `failed`, unless `quit` comes first. After a failure, or when
    the engine says that it is spent, it says `spent`, finishes the jobs under way and takes no more.

    One that `takes_turns` works only from `go` on, until it has something to say; all of a step goes into one message.
    Then what the control process knows when it decides does not depend on how quick it is.
    """

    def __init__(self, engine: Engine, outbox: Outbox, *, takes_turns: bool = False) -> None:
        self.engine = engine
        self._to_control = outbox
        self._takes_turns = takes_turns
        self._may_go = not takes_turns
        self._turn: list[Message] | None = None  # what the step under way has said, where it takes turns
        self._logs: dict[str, logging.Handler] = {}  # of each job under way
        self._has_quit = False
        self._is_spent = False

    @property
    def is_finished(self) -> bool:
        """Whether it will do nothing more."""
        return self._has_quit or (self._is_spent and not self._logs)

    def announce(self) -> None:
        """Say `ready`."""
        facts = {**self.engine.describe(), "lanes": self.engine.num_lanes}
        self._outbox({"type": "ready", "process": os.getpid(), **facts})

    def handle(self, message: Message) -> None:
        """Take a job, an answer to a waiting one, or `quit`, which checkpoints what is under way."""
        match message["type"]:
            case "quit":
                self._quit()
            case "go":
                self._may_go = True
            case "lanes":
                self.engine.use_lanes(message["lanes"])
                self._takes_turns, self._may_go = message["lanes"] > 1, message["lanes"] == 1
            case "continue" | "stop" | "pause":
                self._attempt(lambda: self.engine.answer(cast(Answer, message)), jobs=None)
            case _ if self._is_spent:  # sent before `spent` was read
                reason = "came to a worker that is being replaced"
                job = message["job"]
                self._outbox(Lost(type="lost", job=job, kind="process", reason=reason, log_tail=""))
            case _:
                self._begin(message)
                self._may_go = not self._takes_turns
                self._attempt(lambda: self.engine.admit(cast(Train | SingleJob, message)), jobs=[message["job"]])

    def advance(self) -> bool:
        """Bring every job a small step forward; whether there is more to do before the next message comes."""
        if self.is_finished or not self._can_go:
            return False
        self._turn = [] if self._takes_turns else None
        self._attempt(lambda: self._tell(self.engine.step()), jobs=None)
        said, self._turn = self._turn, None
        if said:
            self._may_go = False
            self._to_control(Turn(type="turn", messages=said))
        return not self.is_finished and self._can_go

    @property
    def _can_go(self) -> bool:
        return self._may_go and self.engine.is_busy

    def _outbox(self, message: Message) -> None:
        """Send it, or keep it for the end of the turn."""
        if self._turn is None:
            self._to_control(message)
        else:
            json.dumps(message)  # what cannot be sent is the fault of who says it
            self._turn.append(message)

    def _attempt(self, action: Callable[[], None], *, jobs: Sequence[str] | None) -> None:
        """Do it; when it raises, these jobs (None: all under way) have failed and the engine is spent."""
        try:
            action()
        except (Exception, SystemExit) as error:
            self._is_spent = True
            self._outbox(Spent(type="spent"))  # first, so that nobody thinks the failed job's lane is free
            failed = list(self._logs) if jobs is None else jobs
            if not failed:
                _LOGGER.error("an error that belongs to no job", exc_info=error)
            for job in failed:
                self._end(describe_failure(job, error))

    def _tell(self, messages: Sequence[Message]) -> None:
        if self.engine.is_spent and not self._is_spent:
            self._is_spent = True
            self._outbox(Spent(type="spent"))
        for message in messages:
            if message["type"] in ("ended", "failed"):
                self._end(message)
            else:
                self._outbox(message)

    def _begin(self, job: Message) -> None:
        """Open the job's log. While several jobs run, a record goes to the logs of all: they share the step."""
        handler: logging.Handler = logging.NullHandler()
        if "folder" in job:
            folder = Path(job["folder"])
            folder.mkdir(parents=True, exist_ok=True)
            handler = logging.FileHandler(folder / "worker.log", encoding="utf-8", delay=True)
            handler.setFormatter(RedactingFormatter(_LOG_FORMAT))
        self._logs[job["job"]] = handler
        for name in _JOB_LOGGERS:
            logging.getLogger(name).addHandler(handler)
        _LOGGER.info("%s begins (%s) on host %s", job["job"], job["type"], socket.gethostname())

    def _end(self, message: Message) -> None:
        if message["type"] == "failed":
            _LOGGER.error("%s failed:\n%s", message["job"], message["traceback"])
        else:
            _LOGGER.info("%s ended", message["job"])
        self._outbox(message)
        self._close_log(message["job"])

    def _close_log(self, job: str) -> None:
        handler = self._logs.pop(job)
        for name in _JOB_LOGGERS:
            logging.getLogger(name).removeHandler(handler)
        handler.close()

    def _quit(self) -> None:
        self._has_quit = True
        try:
            if self._logs:
                self.engine.drain()
        except Exception:
            _LOGGER.exception("no checkpoint could be written at the end; the last one stands")
        for job in list(self._logs):
            self._close_log(job)


def build_worker(
    outbox: Outbox,
    threads: int | None,
    *,
    engine: str = "ftsweep.worker.engine:Engine",
    allowed_packages: Sequence[str] = (),
    lanes: int = 1,
) -> Worker:
    """A worker around the engine named `module:attribute`, whose module must be of ftsweep or an allowed package.

    Of several `lanes` it takes turns. With one an engine decides for itself how many jobs it takes at a time.
    """
    module, _, attribute = engine.partition(":")
    if module.partition(".")[0] not in ("ftsweep", *allowed_packages):
        raise ConfigError(f"{engine!r} is not of ftsweep, nor of a package that the sweep file allows", where="allow")
    make = getattr(import_module(module), attribute)
    several = {"lanes": lanes} if lanes > 1 else {}
    return Worker(
        make(threads=threads, allowed_packages=tuple(allowed_packages), **several), outbox, takes_turns=lanes > 1
    )


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a worker on standard input and output until `quit`, SIGTERM, end-of-file, or until it is spent."""
    parser = argparse.ArgumentParser(prog="python -m ftsweep.worker.process", description=__doc__)
    parser.add_argument(
        "--descriptor", required=True, help="JSON: engine, threads, lanes, allowed_packages, heartbeat_seconds"
    )
    descriptor = json.loads(parser.parse_args(arguments).descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the control process's to handle
    faulthandler.enable()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(_LOG_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
    sys.excepthook = lambda *raised: _LOGGER.critical("the worker ends with an error", exc_info=raised)
    pipes = WorkerPipes()
    engines: list[Engine] = []  # filled when it is built, which takes seconds
    pipes.start(
        heartbeat_seconds=descriptor["heartbeat_seconds"],
        count_steps=lambda: engines[0].num_steps if engines else 0,
    )
    worker = build_worker(
        pipes.write,
        descriptor["threads"],
        engine=descriptor["engine"],
        allowed_packages=descriptor["allowed_packages"],
        lanes=descriptor["lanes"],
    )
    engines.append(worker.engine)
    signal.signal(signal.SIGTERM, lambda *_: pipes.inbox.put(Quit(type="quit")))
    worker.announce()
    is_busy = False
    while not worker.is_finished:
        for message in pipes.take(wait=not is_busy):
            worker.handle(message)
        is_busy = worker.advance()
    logging.shutdown()
    os._exit(0)  # no teardown that could hang; what matters is written


if __name__ == "__main__":
    main()
