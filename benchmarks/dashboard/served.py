"""The dashboard's command as a process of its own, and what it costs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Served:
    """A dashboard that answers at `base`. CPU and memory are those of the command and its server process together."""

    process: subprocess.Popen[str]
    base: str
    token: str
    start_seconds: float

    def address(self, path: str) -> str:
        return f"{self.base}{path}{'&' if '?' in path else '?'}{self.token}"

    def ask(self, path: str) -> Any:
        """A JSON answer."""
        with urllib.request.urlopen(self.base + path, timeout=120) as answer:
            return json.loads(answer.read())

    def cpu_seconds(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())

    def peak_mb(self) -> float:
        """Of the server process: the largest it has been, in 10^6 bytes."""
        return max(_peak_mb(process.pid) for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        command = psutil.Process(self.process.pid)
        return [command, *command.children(recursive=True)]


@contextmanager
def served(store: Path) -> Iterator[Served]:
    """Serve a store until the block ends."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "ftsweep.cli.main", "dashboard", "--store", str(store)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None
    base, _, token = found[0].partition("/?")
    try:
        yield Served(process, base, token, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in status if line.startswith("VmHWM:")).split()[1]) * 1024 / 1e6
