"""An engine without a model: at each rung it writes a checkpoint, says when that was done, and waits."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftsweep.store.atomic import written_folder


class Engine:
    """A job's spec has `rungs` and `num_bytes`, of each checkpoint; 0 writes none."""

    num_lanes = 1
    is_spent = False

    def __init__(self, *, threads: int | None, allowed_packages: Sequence[str]) -> None:
        self.num_steps = 0
        self._job: dict[str, Any] | None = None
        self._rung = 0
        self._is_waiting = False
        self._answered_at = 0.0

    @property
    def is_busy(self) -> bool:
        return self._job is not None and not self._is_waiting

    def describe(self) -> dict[str, Any]:
        return {"device": "none", "memory_gib": 0.0}

    def use_lanes(self, lanes: int) -> None:
        assert lanes == 1, "it takes one job at a time"

    def admit(self, job: dict[str, Any]) -> None:
        self._job, self._rung = job, 0

    def answer(self, message: dict[str, Any]) -> None:
        self._answered_at, self._is_waiting = time.monotonic(), False

    def step(self) -> list[dict[str, Any]]:
        assert self._job is not None
        self.num_steps += 1
        name, spec = self._job["job"], self._job["spec"]
        if self._rung == spec["rungs"]:
            self._job = None
            return [{"type": "ended", "job": name, "result": {}}]
        self._rung += 1
        if spec["num_bytes"]:
            with written_folder(Path(self._job["folder"]) / "checkpoint") as place:
                (place / "weights.safetensors").write_bytes(os.urandom(spec["num_bytes"]))
        self._is_waiting = True
        times = {"answered_at": self._answered_at, "said_at": time.monotonic()}
        return [{"type": "measured", "job": name, "measurement": times}]

    def drain(self) -> None:
        return
