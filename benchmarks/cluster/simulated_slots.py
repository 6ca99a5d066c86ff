"""The bridge of a study, with slots that train nothing: everything of a slot is real except its worker.

Run in place of `ftsweep.cluster.bridge_process`, with the same words. A process on a node holds 16 such slots, for 64
of Ray's actors would be more processes than this machine can start.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import ray

from ftsweep.cluster import bridge, bridge_process
from ftsweep.cluster.slot import Slot
from ftsweep.executors.base import ExecutorContext, Message
from ftsweep.store.atomic import written_folder
from ftsweep.testing.recorded import NUM_RUNGS, RecordedCurves
from ftsweep.testing.simulated import SimulatedExecutor

TRIAL_SECONDS = 60.0
CHECKPOINT_BYTES = 1 << 20
SLOTS_A_HOST = 16
_LOOK_SECONDS = 0.1
_LOCK = threading.Lock()
_hosts: list[Any] = []
_given = 0


class PacedExecutor(SimulatedExecutor):
    """In real time: a trial takes a minute, and writes a checkpoint at each rung, of a mebibyte."""

    def __init__(self, threads: int, **_: Any) -> None:
        super().__init__(RecordedCurves(), num_rungs=NUM_RUNGS, rung_seconds=TRIAL_SECONDS / NUM_RUNGS)
        self._began = time.monotonic()
        self._is_announced = False

    def submit(self, job: Message) -> None:
        self.now = time.monotonic() - self._began
        super().submit(job)

    def reply(self, job: str, message: Any) -> None:
        self.now = time.monotonic() - self._began
        super().reply(job, message)

    def poll(self, timeout_seconds: float) -> list[Message]:
        if not self._is_announced:
            self._is_announced = True
            facts = {"device": "cpu", "memory_gib": 0.0, "lanes": 1, "process": 0}
            return [{"type": "ready", "worker": "simulated", **facts}]
        if not self._events or self._events[0][0] > time.monotonic() - self._began:
            time.sleep(_LOOK_SECONDS)
            return []
        return super().poll(timeout_seconds)

    def _advance(self, name: str, running: Any) -> list[Message]:
        messages = super()._advance(name, running)
        if any(message["type"] == "measured" for message in messages):
            with written_folder(running.folder.path / "checkpoint") as place:
                (place / "adapter.safetensors").write_bytes(os.urandom(CHECKPOINT_BYTES))
        return messages

    def open(self, context: ExecutorContext) -> None:
        return

    def go(self) -> None:
        return


class Host:
    """An actor: several slots in one process."""

    def __init__(self, descriptor: Mapping[str, Any], count: int) -> None:
        mode = os.environ.get("RAY_AUTH_MODE", "")
        self._slots = []
        for _ in range(count):
            os.environ["RAY_AUTH_MODE"] = mode  # each takes it away
            slot = Slot(descriptor)
            slot._local = PacedExecutor(descriptor["threads"])  # type: ignore[assignment]
            self._slots.append(slot)

    def call(self, index: int, method: str, *arguments: Any) -> Any:
        return getattr(self._slots[index], method)(*arguments)


class Proxy:
    """What the bridge takes for a slot's actor."""

    def __init__(self, host: Any, index: int) -> None:
        self._host, self._index = host, index

    def __getattr__(self, method: str) -> Any:
        return _Method(self._host, self._index, method)


class _Method:
    def __init__(self, host: Any, index: int, name: str) -> None:
        self._host, self._index, self._name = host, index, name

    def remote(self, *arguments: Any) -> Any:
        return self._host.call.remote(self._index, self._name, *arguments)


def started(name: str, node: Any, wish: Any, settings: Mapping[str, Any], say: Any) -> Proxy:
    """In place of `ftsweep.cluster.starting.started`; called from a thread for each slot."""
    global _given
    with _LOCK:
        number, _given = _given, _given + 1
        if number % SLOTS_A_HOST == 0:
            keys = ("context", "heartbeat_seconds", "cache_gib", "scratch", "worker_seconds", "store", "lanes")
            descriptor = {**{key: settings[key] for key in keys}, "threads": 1, "num_gpus": 0}
            make: Any = ray.remote(Host)
            options = {"max_concurrency": 4 * SLOTS_A_HOST, "num_cpus": 0}
            _hosts.append(make.options(**options).remote(descriptor, SLOTS_A_HOST))
        host = _hosts[number // SLOTS_A_HOST]
    ray.get(host.call.remote(number % SLOTS_A_HOST, "describe"))
    return Proxy(host, number % SLOTS_A_HOST)


if __name__ == "__main__":
    bridge.started = started
    bridge_process.main(sys.argv)
