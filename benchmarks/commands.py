"""Running the real command in a folder of its own, as a user would, and what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Of one process: wall and CPU seconds (user and system, with all children that it waited for), and its output."""

    wall_seconds: float
    cpu_seconds: float
    stdout: str


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """An empty folder that is gone afterwards: no store, no cache, nothing beside it."""
    with tempfile.TemporaryDirectory(prefix="ftsweep-bench-") as name:
        yield Path(name)


def ftsweep() -> list[str]:
    """The installed console script of this environment."""
    script = Path(sys.executable).with_name("ftsweep")
    if not script.exists():
        raise FileNotFoundError(f"{script}: install ftsweep into this environment first (make setup)")
    return [str(script)]


def run(command: Sequence[str], folder: Path, **variables: str) -> Cost:
    """Run to the end in this folder; what it wrote to standard error is shown when it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment(**variables), stdout=out, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{errors.read()[-4000:]}")
        return Cost(wall_seconds, usage.ru_utime + usage.ru_stime, out.read())


def ask(command: Sequence[str], folder: Path, **variables: str) -> tuple[Any, Cost]:
    """A command that answers with JSON, and its cost."""
    cost = run(command, folder, **variables)
    return json.loads(cost.stdout), cost


def environment(**variables: str) -> dict[str, str]:
    """The user's own, except that nothing is sent home."""
    return {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1", **variables}
