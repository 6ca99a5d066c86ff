"""Whether the kernel ended a process for want of memory: of the machine, or of the group that it runs in."""

from __future__ import annotations

import time
from pathlib import Path

_COUNTERS = Path("/proc/vmstat")
_FRESH_SECONDS = 30.0  # a large process may take this long from the kernel's decision to its end


class MemoryKills:
    """The kernel's own count of such kills. It names nobody, so each explains one SIGKILL soon after it."""

    def __init__(self) -> None:
        self._num_seen = count_kills()
        self._times: list[float] = []  # of those that explain nothing yet

    def look(self) -> None:
        """Notice when kills happened; called about once a second."""
        count, now = count_kills(), time.monotonic()
        self._times = [when for when in self._times if now - when < _FRESH_SECONDS]
        self._times += [now] * (count - self._num_seen)
        self._num_seen = count

    def explain(self) -> bool:
        """Whether a process that was killed just now was ended for want of memory. Each kill is such an answer once."""
        self.look()
        return bool(self._times and self._times.pop(0))


def count_kills() -> int:
    """Since the machine was started; 0 on a system that does not count them."""
    try:
        lines = _COUNTERS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
