"""Kills workers and their children when the control process is gone, however it went.

A worker that reads end-of-file ends itself; but one that holds Python's lock in a long native call does not read, and
PR_SET_PDEATHSIG would kill the worker alone, before it can end its children (and would also fire when only the thread
that started it ends). So a small process of its own keeps the list of process groups. Standard library only: this file
is also run as a script.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path


class Watchdog:
    """Knows the process groups of live workers; kills them all when this process ends without `close`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )

    def watch(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """No longer watch a group; called before its leader's process id may be used again."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End it. Groups that it still watches are killed."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody killed it: workers still end at end-of-file
            self._process.stdin.write(line.encode())


def _watch_until_end_of_file() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line.startswith("+") else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _watch_until_end_of_file()
