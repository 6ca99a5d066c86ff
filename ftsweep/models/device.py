"""Which device this worker trains on, what memory it has, and which errors mean that it ran out."""

from __future__ import annotations

import ctypes
import gc
import resource
from pathlib import Path
from typing import Any

import psutil
import torch

_LIBC = ctypes.CDLL(None)


def find_device() -> torch.device:
    """The device of this worker: the one CUDA device it was given, else the CPU."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def describe_device(device: torch.device) -> dict[str, Any]:
    """The device and its memory (GiB)."""
    is_gpu = device.type == "cuda"
    memory = torch.cuda.get_device_properties(device).total_memory if is_gpu else psutil.virtual_memory().total
    return {"device": str(device), "memory_gib": round(memory / 2**30, 1)}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a smaller batch might have fitted."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # The CPU allocator and cuBLAS raise plain RuntimeErrors.
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "out of memory" in text or "CUBLAS_STATUS_ALLOC_FAILED" in text
    )


def release_memory(device: torch.device) -> None:
    """Give freed blocks back to the device, or to the operating system, after the last reference is gone."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif hasattr(_LIBC, "malloc_trim"):  # glibc keeps what tensors of many shapes left, hundreds of MiB of it
        _LIBC.malloc_trim(0)


def allocated_bytes(device: torch.device) -> int:
    """Device memory held by live tensors; 0 on the CPU, where the process's size says nothing exact."""
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


def peak_memory_gib(device: torch.device) -> float:
    """The most memory used so far: of the device since its statistics were reset, or of this process (GiB)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    # Not getrusage: its peak may be that of the process that this one was forked from.
    status = Path("/proc/self/status")
    if status.exists():
        kilobytes = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]
        return int(kilobytes) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
