"""The memory of a host: pages of its processes, each counted once however many of them map it.

PSS divides a page by all who map it. Here the hosts share one kernel, so it would divide Ray's libraries among them
all, and a host would seem to need less than it does where it is alone. Needs root (page frame numbers).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

_PAGE_BYTES = 4096
_PRESENT, _FRAME = np.uint64(1 << 63), np.uint64((1 << 55) - 1)


def processes_of(host: int) -> dict[int, str]:
    """The processes in the pid namespace whose first process is a child of `host`, with their command lines."""
    children = Path(f"/proc/{host}/task/{host}/children").read_text(encoding="ascii").split()
    space = Path(f"/proc/{children[0]}/ns/pid").readlink()
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if (place / "ns" / "pid").readlink() == space:
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                found[int(place.name)] = line
    return found


def megabytes(processes: Iterable[int]) -> float:
    """Of all pages that they have in memory, in MB of a million bytes."""
    frames = []
    for process in processes:
        with suppress(ProcessLookupError, FileNotFoundError):  # it has just ended
            frames.append(_frames(process))
    return np.unique(np.concatenate(frames)).size * _PAGE_BYTES / 1e6 if frames else 0.0


def pss_megabytes(processes: Iterable[int]) -> float:
    """Their proportional set size, as the kernel has it."""
    total = 0
    for process in processes:
        with suppress(ProcessLookupError, FileNotFoundError):  # it has just ended
            text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
            total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total * 1024 / 1e6


def _frames(process: int) -> np.ndarray:
    found = []
    with open(f"/proc/{process}/pagemap", "rb", buffering=0) as pages:
        for line in Path(f"/proc/{process}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
            if "[v" in line:  # the kernel's own
                continue
            first, _, last = line.split()[0].partition("-")
            begin, end = (int(each, 16) // _PAGE_BYTES for each in (first, last))
            pages.seek(begin * 8)
            entries = np.frombuffer(pages.read((end - begin) * 8), dtype=np.uint64)
            found.append(entries[(entries & _PRESENT) != 0] & _FRAME)
    frames = np.concatenate(found)
    assert frames.any(), "page frame numbers are for root alone"
    return np.unique(frames[frames != 0])
