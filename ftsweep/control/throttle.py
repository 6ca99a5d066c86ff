"""How often something may be done that costs more the longer a study becomes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SHARE = 0.01  # of the time
_FREE_SECONDS = 0.001  # what costs less is done every time


@dataclass
class Pace:
    """Holds an action to a share of the wall time, by how long it took last."""

    _next: float = 0.0

    def is_due(self) -> bool:
        return time.perf_counter() >= self._next

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Around the action."""
        began = time.perf_counter()
        yield
        ended = time.perf_counter()
        cost = ended - began
        self._next = ended + cost / SHARE if cost > _FREE_SECONDS else 0.0
