"""What happens to one attempt at a study, drawn from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fuse import Fuse

_MEAN_SHARE = 0.12  # of an undisturbed study until a kill comes, so that one study has many of them
_OF_CONTROL = {"event": 30, "torn": 15, "limit": 8, "moment": 23, "tree": 13, "watchdog": 9, "none": 2}  # percent
_OF_WORKER = {"event": 30, "torn": 15, "limit": 8, "moment": 10, "none": 37}
_BYTES = (200, 400_000)  # where the kernel's limit on a file may lie


@dataclass(frozen=True)
class Outside:
    """A SIGKILL from outside, so many seconds after the start."""

    seconds: float
    whom: tuple[str, ...]


@dataclass(frozen=True)
class Drawn:
    """What one attempt will meet."""

    control: Fuse | None = None
    workers: Sequence[Fuse | None] = ()
    """Of the first worker, the second, ... At most two: a trial that loses four workers in one process fails."""
    outside: Sequence[Outside] = ()


@dataclass(frozen=True)
class Lengths:
    """Of the undisturbed study: seconds, and how many events and writes each process has."""

    seconds: float = 0.0
    control_events: int = 0
    control_writes: int = 0
    worker_events: int = 0
    worker_writes: int = 0

    @classmethod
    def read(cls, folder: Path, seconds: float) -> Lengths:
        counts = [json.loads((folder / f"{who}.counts").read_text(encoding="utf-8")) for who in ("control", "worker")]
        control, worker = ([count["num_events"], count["num_writes"]] for count in counts)
        return cls(seconds, *control, *worker)

    def lasting(self, seconds: float) -> Lengths:
        return replace(self, seconds=seconds)


def draw(chance: random.Random, lengths: Lengths, *, has_helper: bool) -> Drawn:
    """One attempt's kills."""
    outside: list[Outside] = []
    control = None
    moment = chance.expovariate(1 / (_MEAN_SHARE * lengths.seconds))
    match chance.choices([*_OF_CONTROL], [*_OF_CONTROL.values()])[0]:
        case "moment":
            outside.append(Outside(moment, ("control process",)))
        case "tree":
            outside.append(Outside(moment, ("whole tree",)))
        case "watchdog":  # then the control process, so that nobody is left to kill the workers
            outside.append(Outside(moment, ("watchdog", "control process")))
        case "none":
            pass
        case kind:
            control = _fuse(chance, kind, lengths.control_events, lengths.control_writes)
    workers: list[Fuse | None] = []
    for _ in range(2):
        kind = chance.choices([*_OF_WORKER], [*_OF_WORKER.values()])[0]
        if kind == "moment":
            outside.append(Outside(chance.expovariate(1 / (_MEAN_SHARE * lengths.seconds)), ("worker",)))
            workers.append(None)
        elif kind == "none":
            workers.append(None)
        else:
            workers.append(_fuse(chance, kind, lengths.worker_events, lengths.worker_writes))
    if has_helper and chance.random() < 0.6:
        outside.append(Outside(chance.uniform(0.0, 0.8 * lengths.seconds), ("sampler's helper",)))
    return Drawn(control, tuple(workers), tuple(outside))


def draw_of_race(chance: random.Random, lengths: Lengths) -> Drawn:
    """One attempt's kill, from outside, counted from when runs with fresh seeds are there."""
    moment = chance.expovariate(1 / (_MEAN_SHARE * lengths.seconds))
    whom = chance.choice([("control process",), ("whole tree",), ("watchdog", "control process")])
    return Drawn(outside=[Outside(moment, whom)])


def _fuse(chance: random.Random, kind: str, num_events: int, num_writes: int) -> Fuse:
    if kind == "limit":
        low, high = _BYTES
        return Fuse("limit", int(low * (high / low) ** chance.random()))
    count = num_events if kind == "event" else num_writes
    return Fuse(kind, 1 + int(chance.expovariate(1 / (_MEAN_SHARE * count))), chance.random())
