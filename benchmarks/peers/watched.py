"""A tool under way, as it is watched: until it has told what is waited for, has ended, or has had its time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from commands import environment
from tools import command
from work import Work

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Watched:
    seconds: float
    is_reached: bool
    """Whether what was waited for came before the end."""
    code: int | None
    """Its exit code; None where it was killed at what was waited for, or because its time was over."""
    errors: str


def watch(
    name: str, work: Work, out: Path, *, until: Callable[[], bool], most_seconds: float, data_bytes: int | None = None
) -> Watched:
    """Start the tool in the folder `out`, or start it again there. At the end nothing of it is left.

    data_bytes: the most private memory that each of its processes may have.
    """
    words, variables = command(name, work, out)
    if data_bytes is not None:
        words = ["prlimit", f"--data={data_bytes}", *words]
    log = out / "output.log"
    with log.open("ab") as output:
        started = time.monotonic()
        process = subprocess.Popen(words, cwd=out, env=environment(**variables), stdout=output, stderr=output)
    family = psutil.Process(process.pid)
    known: set[psutil.Process] = {family}
    try:
        while True:
            with suppress(psutil.NoSuchProcess):
                known |= set(family.children(recursive=True))
            code, seconds = process.poll(), time.monotonic() - started
            is_reached = until()
            if is_reached or code is not None or seconds > most_seconds:
                return Watched(seconds, is_reached, code, _last_line(log))
            time.sleep(_POLL_SECONDS)
    finally:
        for each in known:  # Ray's processes are no children of it any more when it has ended
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
