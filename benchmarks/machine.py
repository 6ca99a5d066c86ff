"""The machine that a benchmark ran on, in words that name no host, and how busy others kept it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ftsweep.executors.devices import num_cores

_PACKAGES = ("ftsweep", "torch", "transformers", "peft", "datasets", "optuna", "mlflow", "hydra-core", "plotly")
_MOST_FOREIGN = 0.1  # of the machine's cores that others may use before numbers are doubtful


def hardware() -> dict[str, str]:
    """Processor, cores, memory, GPUs, system; and settings that change speed."""
    return {
        "CPU": processor(),
        "cores": str(num_cores()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "GPU": ", ".join(gpus()) or "none",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
    }


def in_a_line() -> str:
    """The same as one line of a result."""
    return ", ".join(f"{key} {value}" for key, value in hardware().items())


def processor() -> str:
    """The processor's name."""
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        names = re.findall(r"^model name\s*:\s*(.+)$", cpu_info.read_text(encoding="utf-8"), re.MULTILINE)
        if names:
            return str(names[0])
    return platform.processor() or platform.machine()


def gpus() -> list[str]:
    """Names of CUDA devices; none where the driver does not answer."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    done = subprocess.run([command, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True)
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []


def label() -> str:
    """The machine in a file's name: `amd-epyc-2-cores`."""
    words = [processor(), f"{num_cores()} cores", *gpus()[:1]]
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def versions() -> dict[str, str]:
    """Of ftsweep, its commit, and what it stands on."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    repository = Path(__file__).parents[1]
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=repository, capture_output=True, text=True, check=False
    )
    return {**found, "commit": done.stdout.strip() or "unknown"}


@dataclass
class Watch:
    """How busy the machine is between its making and `read`, and how much of that was not ours."""

    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    _started: float = field(default_factory=time.monotonic)
    _ours: float = field(default_factory=lambda: _own_seconds())
    _all: float = field(default_factory=lambda: _busy_seconds())

    def read(self) -> Busyness:
        """The load averages and the cores that other processes used on average."""
        seconds = time.monotonic() - self._started
        foreign = (_busy_seconds() - self._all) - (_own_seconds() - self._ours)
        return Busyness(self.load_before, os.getloadavg()[0], max(0.0, foreign / seconds))


@dataclass(frozen=True)
class Busyness:
    """Load averages of one minute, and the cores that other processes used meanwhile."""

    load_before: float
    load_after: float
    foreign_cores: float

    @property
    def is_busy(self) -> bool:
        return self.foreign_cores > _MOST_FOREIGN * num_cores()

    def __str__(self) -> str:
        loads = f"load {self.load_before:.2f} before, {self.load_after:.2f} after"
        return f"{loads}; others used {self.foreign_cores:.2f} of {num_cores()} cores"


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted as user time too
    return float(sum(times) - idle - guests)


def _own_seconds() -> float:
    """CPU of this process and of all children that it has waited for."""
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
