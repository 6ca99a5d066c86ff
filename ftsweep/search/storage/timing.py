"""How long a study's asks and tells take, its database included."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

from ftsweep.domain.database_use import Latency

_Method = TypeVar("_Method", bound=Callable[..., Any])


class Latencies:
    """Wall times of calls of this process, by verb."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def add(self, verb: str, seconds: float) -> None:
        self._seconds[verb].append(seconds)

    def of(self, verb: str) -> Latency:
        return Latency.of(self._seconds[verb])


class _Timed(Protocol):
    @property
    def latencies(self) -> Latencies: ...


def timed(method: _Method) -> _Method:
    """A method whose calls are counted under its name; one that raises does not count."""

    @wraps(method)
    def call(self: _Timed, *values: Any, **named: Any) -> Any:
        began = time.perf_counter()
        result = method(self, *values, **named)
        self.latencies.add(method.__name__, time.perf_counter() - began)
        return result

    return call  # type: ignore[return-value]
