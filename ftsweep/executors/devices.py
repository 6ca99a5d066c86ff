"""Which devices workers get, found without importing torch: CUDA devices, or the cores of this machine."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ftsweep.errors import ConfigError

_LOGGER = logging.getLogger(__name__)
_NO_DEVICE = {"", "-1", "none", "nodevfiles", "void"}  # what schedulers write to hide all devices


MAX_COUNT = 1024
"""More workers, or threads of one, no machine has."""


@dataclass(frozen=True)
class Place:
    """Where one worker runs: its name, its threads, and the environment in which it sees its own device only."""

    name: str
    threads: int
    environment: Mapping[str, str]

    @property
    def device(self) -> str:
        """Its CUDA device as CUDA_VISIBLE_DEVICES names it; "" on the CPU."""
        return self.environment.get("CUDA_VISIBLE_DEVICES", "")


def plan_places(
    workers: int | None, threads: int | None, environment: Mapping[str, str], *, cpu_workers: int = 1
) -> list[Place]:
    """One place per worker: each on a CUDA device of its own, or, without devices, each with its share of the cores.

    Without a number of workers there is one per device, or so many as `cpu_workers` says where there is none.

    Raises:
        ConfigError: more workers than CUDA devices.
    """
    devices = find_cuda_devices(environment)
    count = workers or len(devices) or cpu_workers
    if devices and count > len(devices):
        raise ConfigError(
            f"{count} workers are asked for, and there are {len(devices)} CUDA device(s): each worker needs its own",
            where="executor.workers",
            remedy=f"Ask for at most {len(devices)}, leave it null, or hide the devices with CUDA_VISIBLE_DEVICES=''.",
        )
    threads = threads or share_of_threads(count, environment)
    counts = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if not devices:
        return [Place(f"cpu {index}", threads, counts) for index in range(count)]
    # nvidia-smi counts in bus order; CUDA does so only when told. Indices that the user gave keep the user's order.
    order = {} if "CUDA_VISIBLE_DEVICES" in environment else {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    environments = ({**counts, **order, "CUDA_VISIBLE_DEVICES": device} for device in devices)
    return [Place(f"gpu {device}", threads, own) for device, own in zip(devices[:count], environments, strict=False)]


def find_cuda_devices(environment: Mapping[str, str]) -> list[str]:
    """What each usable CUDA device is called in CUDA_VISIBLE_DEVICES: an index, or the identifier the user gave."""
    present = _devices_of_driver()
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None or not present:
        return present
    devices: list[str] = []
    for name in (part.strip() for part in visible.split(",")):
        if name.lower() in _NO_DEVICE:  # CUDA too stops at the first that is none
            break
        devices.append(name)
    return devices


def share_of_threads(workers: int, environment: Mapping[str, str]) -> int:
    """Threads for each of several workers: OMP_NUM_THREADS where the user set it, else an equal share of the cores."""
    return threads_of_user(environment) or max(1, num_cores() // workers)


def threads_of_user(environment: Mapping[str, str]) -> int | None:
    """OMP_NUM_THREADS; None where the user has not set it."""
    chosen = environment.get("OMP_NUM_THREADS", "")
    return int(chosen) if chosen.isdecimal() and int(chosen) > 0 else None


def num_cores() -> int:
    """Cores this process may use: its affinity, bounded by the container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def _devices_of_driver() -> list[str]:
    command = shutil.which("nvidia-smi")
    if command is None:  # some containers come without it
        files = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
        return sorted((name for name in files if name.isdecimal()), key=int)
    try:
        answer = subprocess.run(
            [command, "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        _LOGGER.warning("nvidia-smi is there but does not answer (%s): no CUDA device is used", error)
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip().isdecimal()]
