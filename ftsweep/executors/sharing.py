"""How workers share the cores of a machine: as set, or by what a step takes with so many threads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import psutil

from ftsweep.errors import ConfigError
from ftsweep.executors.devices import MAX_COUNT, Place, find_cuda_devices, num_cores, plan_places, threads_of_user

Auto = Literal["auto"]
AUTO: Auto = "auto"

_AS_GOOD = 1.1  # fewer threads that are at most so much slower leave cores for others
_WORTH_IT = 1.15  # more workers must bring at least so much: what they measured apart they do not reach side by side
_SHARE_OF_MEMORY = 0.8


@dataclass(frozen=True)
class Sharing:
    """So many workers with so many threads each."""

    workers: int
    threads: int


class Cores:
    """The settings `workers`, `cpu_workers` and `threads` of an executor; see `Local`.

    Raises:
        ConfigError: a number that is none.
    """

    def __init__(self, *, workers: int | Auto | None, cpu_workers: int, threads: int | Auto | None) -> None:
        for key, value in (("workers", workers), ("cpu_workers", cpu_workers), ("threads", threads)):
            if value is not None and value != AUTO and not 1 <= value <= MAX_COUNT:
                raise ConfigError(
                    f"{value} is not a number of {key}",
                    where=f"executor.{key}",
                    remedy=f"Give 1 or more, at most {MAX_COUNT}.",
                )
        self._workers, self._threads = workers, threads
        self._cpu_workers = 1 if workers == AUTO else cpu_workers
        self.settled: Sharing | None = None

    def thread_counts(self) -> Sequence[int]:
        """See `Executor.thread_counts`."""
        if self.settled is not None or AUTO not in (self._workers, self._threads) or find_cuda_devices(os.environ):
            return ()
        given = self._threads if isinstance(self._threads, int) else threads_of_user(os.environ)
        if given is not None:
            return [given] if self._workers == AUTO else ()
        return powers_up_to(max(1, num_cores() // (_number(self._workers) or self._cpu_workers)))

    def choose(self, step_seconds: Mapping[int, float], worker_gib: float) -> Sharing:
        """See `Executor.choose`."""
        if self._workers == AUTO:
            return best_sharing(step_seconds, cores=num_cores(), most=_most_workers(worker_gib))
        return Sharing(_number(self._workers) or self._cpu_workers, fastest_threads(step_seconds))

    def places(self) -> list[Place]:
        """Where workers run: as settled, or before that as the numbers among the settings say."""
        if self.settled is not None:
            return plan_places(self.settled.workers, self.settled.threads, os.environ)
        return plan_places(_number(self._workers), _number(self._threads), os.environ, cpu_workers=self._cpu_workers)


def powers_up_to(most: int) -> list[int]:
    """Powers of two below `most`, and `most`."""
    return sorted({most, *(1 << power for power in range(most.bit_length()) if 1 << power < most)})


def fastest_threads(step_seconds: Mapping[int, float]) -> int:
    """Of one worker: the fewest threads that are as good as the fastest."""
    best = min(step_seconds.values())
    return min(count for count, seconds in step_seconds.items() if seconds <= _AS_GOOD * best)


def best_sharing(step_seconds: Mapping[int, float], *, cores: int, most: int) -> Sharing:
    """The most steps a second of at most so many workers together; one worker where more do not pay."""
    alone = Sharing(1, fastest_threads(step_seconds))
    rates = {
        Sharing(workers, count): workers / seconds
        for count, seconds in step_seconds.items()
        for workers in [min(most, max(1, cores // count))]
    }
    good = [pair for pair, rate in rates.items() if rate * _AS_GOOD >= max(rates.values())]
    best = min(good, key=lambda pair: (pair.workers * pair.threads, pair.workers))
    return best if rates[best] * step_seconds[alone.threads] >= _WORTH_IT else alone


def _most_workers(worker_gib: float) -> int:
    """How many workers of this size memory has room for, the measured one among them."""
    free = psutil.virtual_memory().available / 2**30 + worker_gib
    return min(MAX_COUNT, max(1, int(_SHARE_OF_MEMORY * free / max(worker_gib, 0.1))))


def _number(value: int | Auto | None) -> int | None:
    return None if value == AUTO else value
