"""`ftsweep` with a stopwatch on its recorder: away_driver.py FACTS WORD...; writes FACTS as JSON at the end.

What recording costs training: the time that the loop spends in the recorder's calls, and the CPU time of the recorder's
thread. Both are held against the time from the first trial's submission to the last one's end.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from ftsweep.executors.local import Local
from ftsweep.recording.background import BackgroundRecorder
from ftsweep.recording.call_queue import CallQueue

VERBS = ("begin_trial", "measure_all", "end_trial")


class Stopwatch:
    def __init__(self) -> None:
        self.calls_seconds = 0.0
        self.num_calls = 0
        self.thread_cpu_seconds = 0.0
        self.began = self.ended = 0.0
        self._thread_began = 0.0

    def watch_recorder(self) -> None:
        for verb in VERBS:
            setattr(BackgroundRecorder, verb, self._timed(getattr(BackgroundRecorder, verb)))
        for verb in ("_finish", "_may_try_again"):
            setattr(CallQueue, verb, self._noting_cpu(getattr(CallQueue, verb)))

    def _timed(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(real)
        def call(*args: Any, **settings: Any) -> Any:
            began = time.perf_counter()
            try:
                return real(*args, **settings)
            finally:
                self.calls_seconds += time.perf_counter() - began
                self.num_calls += 1

        return call

    def _noting_cpu(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(real)
        def call(*args: Any) -> Any:
            now = time.thread_time()  # of the recorder's thread, which makes these calls
            if not self.began:
                self._thread_began = now
            elif now > self._thread_began:
                self.thread_cpu_seconds = now - self._thread_began
            return real(*args)

        return call

    def watch_executor(self) -> None:
        submit, poll = Local.submit, Local.poll

        def submitted(executor: Local, job: dict[str, Any]) -> None:
            if job["type"] == "train" and not self.began:
                self.began = time.perf_counter()
            submit(executor, job)

        def polled(executor: Local, timeout_seconds: float) -> list[dict[str, Any]]:
            messages: list[dict[str, Any]] = poll(executor, timeout_seconds)
            if any(message["type"] == "ended" and message["job"].startswith("trial-") for message in messages):
                self.ended = time.perf_counter()
            return messages

        Local.submit, Local.poll = submitted, polled  # type: ignore[method-assign]


def main() -> None:
    facts_file, *words = sys.argv[1:]
    stopwatch = Stopwatch()
    stopwatch.watch_recorder()
    stopwatch.watch_executor()
    from ftsweep.cli.main import main as ftsweep

    try:
        ftsweep(words)
    finally:
        facts = {
            "training_seconds": stopwatch.ended - stopwatch.began,
            "calls_seconds": stopwatch.calls_seconds,
            "num_calls": stopwatch.num_calls,
            "thread_cpu_seconds": stopwatch.thread_cpu_seconds,
        }
        Path(facts_file).write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
