"""How a worker process is started: its command line and its environment."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path

import ftsweep
from ftsweep.executors.base import ExecutorContext
from ftsweep.executors.devices import Place


def worker_command(place: Place, context: ExecutorContext, *, heartbeat_seconds: float, lanes: int = 1) -> list[str]:
    """`-P`: a `data.py` where the user happens to stand must not hide a package of that name."""
    descriptor = {
        "engine": context.engine,
        "threads": place.threads,
        "lanes": lanes,
        "allowed_packages": list(context.allowed_packages),
        "heartbeat_seconds": heartbeat_seconds,
    }
    return [sys.executable, "-P", "-m", "ftsweep.worker.process", "--descriptor", json.dumps(descriptor)]


def worker_environment(place: Place, context: ExecutorContext) -> dict[str, str]:
    """This process's environment, with the worker's device and threads, and import paths that lead to the same code.

    Threads that wait sleep, unless the user chose otherwise: spinning ones keep from the cores what they wait for as
    soon as any other process is busy (benchmarks/waiting_threads.py). Memory that a step gives back stays with the
    process for the next one, which would have every page cleared anew.
    """
    paths = [str(folder) for folder in context.python_path]
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    source = Path(ftsweep.__file__).resolve().parents[1]
    if source not in (Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")):
        paths.append(str(source))  # run from a checkout
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        "MALLOC_TOP_PAD_": str(64 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
        **os.environ,
        **place.environment,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
