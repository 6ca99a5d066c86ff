"""An engine without torch that does what its jobs say, good and bad: for tests of executors and of the control loop.

A job's `spec["script"]` is a list of actions, one per step: `["measure", 0.5]`, `["print", "text"]`.
When it is over the job ends with `result: {"answers": [...], "threads": ...}`. Each public method here is an action.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftsweep.executors.base import Message


class ScriptedEngine:
    """Runs scripts. Of jobs with a `folder` a worker that is asked to quit leaves a file `drained` there; a paused one
    leaves a checkpoint, and goes on from it.
    """

    num_lanes = 1

    def __init__(self, *, threads: int | None, allowed_packages: Sequence[str], lanes: int | None = None) -> None:
        self.num_lanes = lanes or self.num_lanes
        self.threads = threads
        self.allowed_packages = allowed_packages
        self.num_steps = 0
        self.is_spent = False
        self._jobs: dict[str, _ScriptedJob] = {}

    def describe(self) -> dict[str, Any]:
        return {"device": "none", "memory_gib": 0.0, "lanes": self.num_lanes}

    def use_lanes(self, lanes: int) -> None:
        self.num_lanes = lanes

    def admit(self, job: Message) -> None:
        if job["spec"]["script"][:1] == [["refuse"]]:
            raise ValueError("refused at the door")
        self._jobs[job["job"]] = _ScriptedJob(job, self)

    def answer(self, message: Message) -> None:
        job = self._jobs[message["job"]]
        job.answers.append(message)
        job.is_waiting = False

    @property
    def is_busy(self) -> bool:
        return any(not job.is_waiting for job in self._jobs.values())

    @property
    def is_waiting(self) -> bool:
        return bool(self._jobs) and not self.is_busy

    def step(self) -> list[Message]:
        self.num_steps += 1
        messages: list[Message] = []
        for job in [job for job in self._jobs.values() if not job.is_waiting]:
            if job.answers and job.answers[-1]["type"] == "pause":
                del self._jobs[job.name]
                messages.append(job.paused())
            elif job.actions:
                messages += job.act()
            else:
                del self._jobs[job.name]
                messages.append(job.ended())
        return messages

    def drain(self) -> None:
        for job in self._jobs.values():
            if "folder" in job.message:
                Path(job.message["folder"], "drained").touch()


class TwoLaneEngine(ScriptedEngine):
    """Runs two scripts at the same time."""

    num_lanes = 2


class BrokenEngine(ScriptedEngine):
    """Cannot be built."""

    def __init__(self, *, threads: int | None, allowed_packages: Sequence[str]) -> None:
        raise ImportError("libsomething.so.1: cannot open shared object file")


class _ScriptedJob:
    def __init__(self, message: Message, engine: ScriptedEngine) -> None:
        self.message = message
        self.name: str = message["job"]
        left = Path(message.get("folder", "nowhere"), "checkpoint", "left")
        script = json.loads(left.read_text(encoding="utf-8")) if left.exists() else message["spec"]["script"]
        self.actions: deque[list[Any]] = deque(script)
        self.answers: list[Message] = []
        self.is_waiting = False
        self._engine = engine

    def act(self) -> list[Message]:
        verb, *arguments = self.actions.popleft()
        return getattr(self, verb)(*arguments) or []

    def ended(self) -> Message:
        result = {"answers": self.answers, "threads": self._engine.threads}
        message = {"type": "ended", "job": self.name, "result": result}
        if self.message["type"] == "train":
            message["outcome"] = {"kind": "complete", "reason": ""}
        return message

    def paused(self) -> Message:
        """Its checkpoint, where it has a folder, has what is left of the script; it has no outcome."""
        if "folder" in self.message:
            checkpoint = Path(self.message["folder"], "checkpoint")
            checkpoint.mkdir()
            (checkpoint / "left").write_text(json.dumps(list(self.actions)), encoding="utf-8")
        return {"type": "ended", "job": self.name, "outcome": None}

    # -- actions --------------------------------------------------------------------------------------------------

    def measure(self, value: float) -> list[Message]:
        """Report a measurement and wait for the answer."""
        self.is_waiting = True
        return [{"type": "measured", "job": self.name, "measurement": {"values": {"validation/loss": value}}}]

    def say(self, text: str, times: int = 1) -> list[Message]:
        """Send `log` messages: the text with a number behind it."""
        return [{"type": "log", "job": self.name, "level": "info", "text": f"{text} {i}"} for i in range(times)]

    def tell_environment(self, *names: str) -> list[Message]:
        """Send a `log` message with these environment variables as JSON."""
        found = {name: os.environ.get(name) for name in names}
        return [{"type": "log", "job": self.name, "level": "info", "text": json.dumps(found)}]

    def tell_modules(self) -> list[Message]:
        """Send a `log` message with the names of all loaded modules."""
        return [{"type": "log", "job": self.name, "level": "info", "text": json.dumps(sorted(sys.modules))}]

    def unsendable(self) -> list[Message]:
        """Return a message that JSON cannot carry."""
        return [{"type": "log", "job": self.name, "level": "info", "text": object()}]

    def wait(self, file: str) -> None:
        """Stay busy until the file exists."""
        if not Path(file).exists():
            time.sleep(0.002)
            self.actions.appendleft(["wait", file])

    def touch(self, file: str) -> None:
        """Make a file, to say that the script came this far."""
        Path(file).touch()

    def write(self, name: str, size: int) -> None:
        """Write a file of so many bytes below the job's folder."""
        file = Path(self.message["folder"], name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"w" * size)

    def tell_size(self, file: str) -> list[Message]:
        """Send a `log` message with the size of a file that the job was given as its model."""
        size = Path(self.message["spec"]["config"]["model"]["path"], file).stat().st_size
        return [{"type": "log", "job": self.name, "level": "info", "text": str(size)}]

    def print(self, text: str) -> None:
        """Print, from Python, below it, and from a child."""
        print(text, flush=True)  # noqa: T201 - that is the point
        os.write(1, text.encode())
        subprocess.run(["echo", text], check=True)

    def read(self) -> None:
        """Read standard input to its end."""
        assert sys.stdin.read() == ""

    def log(self, text: str) -> None:
        """Log through the `ftsweep` logger."""
        logging.getLogger("ftsweep.scripted").info(text)

    def warn(self, text: str) -> None:
        """Raise a Python warning."""
        warnings.warn(text, UserWarning, stacklevel=1)

    def fail(self, text: str) -> None:
        """Raise a ValueError."""
        raise ValueError(text)

    def leave(self, code: int) -> None:
        """Call sys.exit."""
        sys.exit(code)

    def exit(self, code: int) -> None:
        """End the process at once."""
        print("these were my last words", file=sys.stderr, flush=True)  # noqa: T201 - for the log's tail
        os._exit(code)

    def signal(self, name: str) -> None:
        """Send this process a signal: SIGKILL to die, SIGSTOP to freeze."""
        os.kill(os.getpid(), signal.Signals[name])

    def spawn(self, file: str) -> None:
        """Start a child that never ends; its process id is written to the file."""
        child = subprocess.Popen(["sleep", "1000"])
        _write(file, child.pid)

    def fork(self, file: str) -> None:
        """Fork a child that never ends and keeps this process's pipes open."""
        child = os.fork()
        if child == 0:
            time.sleep(1000)
            os._exit(0)
        _write(file, child)

    def hold(self) -> None:
        """Hold Python's lock in a native call that never ends."""
        ctypes.PyDLL(None).sleep(1000)

    def exhaust(self) -> None:
        """Take memory until there is none; under a limit the kernel ends this process."""
        blocks = []
        while True:
            blocks.append(b"x" * (1 << 24))

    def spend(self) -> None:
        """From the end of this job on, the worker should be replaced."""
        self._engine.is_spent = True


def _write(file: str, pid: int) -> None:
    temporary = Path(file + ".tmp")
    temporary.write_text(str(pid), encoding="ascii")
    temporary.rename(file)
