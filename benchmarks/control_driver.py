"""`ftsweep` with a stopwatch in its control process: control_driver.py FACTS WORD...; writes FACTS as JSON at the end.

It looks at the executor from outside, through its public methods: what the control thread does not spend waiting in
`poll` is Optuna, MLflow and bookkeeping; process time also counts the thread that writes to MLflow.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from ftsweep.executors.local import Local


class Stopwatch:
    """Times between `submit`, `poll` and `reply` of the one executor in this process."""

    def __init__(self) -> None:
        self.reply_seconds: list[float] = []
        self.search: dict[str, float] = {}
        self._began: tuple[float, float] | None = None  # wall and CPU, at the first trial's submission
        self._waited = 0.0
        self._arrived: dict[str, float] = {}

    def submit(self, real: Callable[..., Any], executor: Local, job: dict[str, Any]) -> None:
        if job["type"] == "train" and self._began is None:
            self._began = (time.perf_counter(), time.process_time())
        real(executor, job)

    def poll(self, real: Callable[..., Any], executor: Local, timeout_seconds: float) -> list[dict[str, Any]]:
        entered = time.perf_counter()
        messages: list[dict[str, Any]] = real(executor, timeout_seconds)
        now = time.perf_counter()
        if self._began is not None:
            self._waited += now - entered
        for message in messages:
            if message["type"] == "measured":
                self._arrived[message["job"]] = now
            if message["type"] == "ended" and message["job"].startswith("trial-"):
                self._note_search(now)
        return messages

    def reply(self, real: Callable[..., Any], executor: Local, job: str, message: dict[str, Any]) -> None:
        real(executor, job, message)
        self.reply_seconds.append(time.perf_counter() - self._arrived.pop(job))

    def _note_search(self, now: float) -> None:
        """The search so far, up to the trial that ended last."""
        assert self._began is not None
        wall = now - self._began[0]
        cpu = time.process_time() - self._began[1]
        self.search = {"wall_seconds": wall, "cpu_seconds": cpu, "busy_seconds": wall - self._waited}


def peak_memory_mb() -> float:
    """Of this process since exec, in 10^6 bytes.

    Not ru_maxrss: that begins with the size of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6  # the kernel's kB are KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes


def watch(watched: Callable[..., Any], name: str) -> None:
    """Put the stopwatch's method around the executor's method of that name."""
    real = getattr(Local, name)
    setattr(Local, name, wraps(real)(lambda *args: watched(real, *args)))


def main() -> None:
    started = time.perf_counter()
    facts_file, *words = sys.argv[1:]
    stopwatch = Stopwatch()
    for name in ("submit", "poll", "reply"):
        watch(getattr(stopwatch, name), name)
    from ftsweep.cli.main import main as ftsweep

    try:
        ftsweep(words)
    finally:
        facts = {
            "wall_seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time(),
            "peak_memory_mb": peak_memory_mb(),
            "search": stopwatch.search,
            "reply_seconds": stopwatch.reply_seconds,
        }
        Path(facts_file).write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
