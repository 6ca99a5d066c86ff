"""An executor without workers: trials follow given curves on a clock of its own, so hours pass in milliseconds.

It writes the same files and messages as real workers do, so everything above it is the real thing.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.analysis.forgetting import forgetting_limit
from ftsweep.domain.forgetting import FORGETTING
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.messages import Answer
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.executors.base import Executor, ExecutorContext, Message
from ftsweep.store.atomic import append_line, remove_folder
from ftsweep.store.folders import TrialFolder

Curve = Callable[[Mapping[str, Any], int], Any]
"""Of a trial's spec and a rung: the values measured there, an Outcome, or a message (`lost`, `failed`), which may come
`after_seconds`."""

PREPARED = {
    "num_rows": {"train": 100, "validation": 50, "test": 50},
    "num_examples": {"train": 100, "validation": 50, "test": 50},
    "fingerprint": "simulated",
    "findings": [],
    "has_test": True,
}


@dataclass
class SimulatedExecutor(Executor):
    """Runs trials on `workers` slots; a rung takes `rung_seconds` of simulated time."""

    curve: Curve
    num_rungs: int = 10
    workers: int = 1
    rung_seconds: float = 6.0
    parameters: Mapping[str, int] = field(default_factory=dict)
    """How many weights a complete trial says that it trained, by branch; 100 where it is not told."""
    row_noise: float = 0.0
    """Standard error of a run's loss by its validation rows, a half of it the run's own; 0: rows tell nothing."""
    checkpoint_bytes: int = 1000
    """What a paused trial's checkpoint takes."""
    now: float = 0.0
    num_submitted: int = 0
    jobs: list[str] = field(default_factory=list)
    _events: list[tuple[float, int, str]] = field(default_factory=list)
    _running: dict[str, _Running] = field(default_factory=dict)
    _order: int = 0

    def clock(self) -> float:
        """Simulated seconds; give it to the sweep as its clock."""
        return self.now

    def open(self, context: ExecutorContext) -> None:
        return

    @property
    def num_slots(self) -> int:
        return self.workers

    @property
    def num_free(self) -> int:
        return self.workers - len(self._running)

    def submit(self, job: Message) -> None:
        assert self.num_free > 0, "more jobs than slots"
        assert job["job"] not in self._running, "one job twice"
        self.num_submitted += 1
        self.jobs.append(job["job"])
        folder = TrialFolder(Path(job["folder"]))
        done = max((measurement.rung for measurement in folder.measurements()), default=-1)
        self._running[job["job"]] = _Running(job, folder, next_rung=done + 1)
        was_paused = folder.pause_file.exists()
        has_lost = was_paused and not folder.checkpoint.exists()  # what was measured is made again, and not told
        self._schedule(job["job"], self.rung_seconds * (done + 2 if has_lost else 1))

    def reply(self, job: str, message: Answer) -> None:
        running = self._running.get(job)
        if running is not None and message["type"] == "pause":
            running.is_paused = True
            if running.is_waiting:  # it is the answer
                running.is_waiting = False
                self._schedule(job, 0.0)
            return
        if running is None or not running.is_waiting:
            return
        running.is_waiting = False
        if message["type"] == "stop":
            running.ending = Outcome(OutcomeKind(message["kind"]), message["reason"], rung=running.next_rung - 1)
        self._schedule(job, self.rung_seconds if running.ending is None else 0.0)

    def poll(self, timeout_seconds: float) -> list[Message]:
        if not self._events:
            self.now += timeout_seconds
            return []
        self.now, _, name = heapq.heappop(self._events)
        running = self._running[name]
        if running.job["type"] != "train":
            del self._running[name]
            return [{"type": "ended", "job": name, "result": self._answer(running.job)}]
        return self._advance(name, running)

    def close(self, *, kill: bool = False) -> None:
        self._running.clear()
        self._events.clear()

    def _advance(self, name: str, running: _Running) -> list[Message]:
        if running.loss is not None:
            del self._running[name]
            return [{**running.loss, "job": name}]
        if running.is_paused:
            del self._running[name]
            running.folder.checkpoint.mkdir(exist_ok=True)
            (running.folder.checkpoint / "state").write_bytes(bytes(self.checkpoint_bytes))
            return [{"type": "ended", "job": name, "outcome": None}]
        if running.ending is not None:
            return [self._end(name, running, running.ending)]
        event = self.curve(running.job["spec"], running.next_rung)
        if isinstance(event, Outcome):
            return [self._end(name, running, event)]
        if "type" in event:  # lost or failed: the job is gone, now or later
            running.loss = {key: value for key, value in event.items() if key != "after_seconds"}
            self._schedule(name, event.get("after_seconds", 0.0))
            return []
        rung = running.next_rung
        running.next_rung += 1
        seen = (rung / self.num_rungs, rung, rung, self.rung_seconds * rung, self.now)
        limit = forgetting_limit(running.job["spec"]["config"])
        over = {} if limit is None else {"forgetting": event[FORGETTING] - limit}
        measurement = Measurement(rung, *seen, event, over)
        append_line(running.folder.measurements_file, measurement.to_dict())
        messages: list[Message] = [{"type": "measured", "job": name, "measurement": measurement.to_dict()}]
        if rung == self.num_rungs:
            extra = {
                "num_trained_parameters": self.parameters.get(running.job["spec"]["branch"], 100),
                "train_seconds": self.rung_seconds * rung,
            }
            outcome = Outcome(OutcomeKind.COMPLETE, "trained to the end", rung=rung, extra=extra)
            messages.append(self._end(name, running, outcome))
        else:
            running.is_waiting = True
        return messages

    def _end(self, name: str, running: _Running, outcome: Outcome) -> Message:
        del self._running[name]
        if outcome.kind is OutcomeKind.COMPLETE:
            running.folder.best.mkdir(parents=True, exist_ok=True)
        running.folder.path.mkdir(parents=True, exist_ok=True)
        remove_folder(running.folder.checkpoint)
        running.folder.write_outcome(outcome)
        return {"type": "ended", "job": name, "outcome": outcome.to_dict()}

    def _schedule(self, name: str, seconds: float) -> None:
        self._order += 1
        heapq.heappush(self._events, (self.now + seconds, self._order, name))

    def _resampled(self, job: Message) -> list[float]:
        """A run's objective on 200 resamples, the same ones for all runs."""
        if not self.row_noise or job["type"] != "resample":
            return []
        folder = TrialFolder(Path(job["folder"]))
        (value,) = [each.values["validation/loss"] for each in folder.measurements() if each.rung == job["rung"]]
        rows, own = random.Random(0), random.Random(folder.path.name)  # noqa: S311 - no secret
        parts = [rows.gauss(0, 0.87) + own.gauss(0, 0.5) for _ in range(200)]
        return [value + self.row_noise * part for part in parts]

    def _answer(self, job: Message) -> dict[str, Any]:
        if job["type"] == "export":
            Path(job["destination"]).mkdir(parents=True, exist_ok=True)
        answers: dict[str, dict[str, Any]] = {
            "prepare": PREPARED,
            "baseline": {"validation": {"loss": 2.0}},
            "test": {"test": {"loss": 1.5 if job["spec"].get("untouched") else 1.0}, "intervals": {}, "details": {}},
            "compare": {},
            "resample": {"values": self._resampled(job)},
            "scale": {"points": [{"scale": 0.5, "values": {"validation/loss": 0.1, FORGETTING: 0.04}}]},
            "flagged": {},
            "export": {"folder": job.get("destination"), "rows": [{"text": "a"}], "answers": [{"label": "b"}]},
        }
        return answers[job["type"]]


@dataclass
class _Running:
    job: Message
    folder: TrialFolder
    next_rung: int
    is_waiting: bool = False
    is_paused: bool = False
    ending: Outcome | None = None
    loss: Message | None = None
