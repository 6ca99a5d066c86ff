"""What a study's database on a server costs it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Latency:
    """How long calls took: seconds."""

    count: int = 0
    median: float = 0.0
    longest: float = 0.0

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        return cls(len(seconds), statistics.median(seconds), max(seconds)) if seconds else cls()

    def __str__(self) -> str:
        if not self.count:
            return "never"
        return f"{1000 * self.median:.0f} ms (median of {self.count}; longest {1000 * self.longest:.0f} ms)"


@dataclass(frozen=True)
class DatabaseUse:
    """Of one run of the command: how long asks and tells took, and how long the server was waited for."""

    address: str
    """Without a password."""
    ask: Latency = Latency()
    tell: Latency = Latency()
    num_waits: int = 0
    waited_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DatabaseUse:
        return cls(**{**data, "ask": Latency(**data["ask"]), "tell": Latency(**data["tell"])})

    def __str__(self) -> str:
        times = "once" if self.num_waits == 1 else f"{self.num_waits} times"
        away = f"; away {times}, waited for {self.waited_seconds:.0f} s" if self.num_waits else ""
        return f"{self.address}: ask {self.ask}, tell {self.tell}{away}"
