"""Jobs given to a worker without a control process: composed as a sweep composes them, answered with `continue`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftsweep.config.build import build
from ftsweep.config.compose import compose_sweep
from ftsweep.data.prepared import PreparedSet, prepare
from ftsweep.executors.base import Message
from ftsweep.worker.process import Worker, build_worker


def trial_config(sweep: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The whole configuration of a sweep's default trial."""
    (branch,) = compose_sweep(sweep, overrides).branches
    return dict(branch.config)


def prepared_data(config: dict[str, Any], cache: Path) -> PreparedSet:
    """The data of a trial, encoded as its worker would find it."""
    source = build(config["model"])
    return prepare(
        config=config,
        source=build(config["data"]),
        task=build(config["task"]),
        tokenizer=source.tokenizer(),
        tokenizer_fingerprint=source.fingerprint(),
        cache=cache,
    )


def train_job(number: int, config: dict[str, Any], store: Path) -> Message:
    """A trial's job as the control process sends it; its folder and the cache lie in this store."""
    name = f"trial-{number:04d}"
    return {
        "type": "train",
        "job": name,
        "folder": str(store / name),
        "cache": str(store / "cache"),
        "spec": {"number": number, "branch": "", "is_default": number == 0, "params": {}, "config": config},
    }


class SoleWorker:
    """A worker in this process that runs jobs to their ends."""

    def __init__(self, threads: int | None = None, lanes: int = 1) -> None:
        self._sent: list[Message] = []
        self.worker: Worker = build_worker(self._hear, threads, lanes=lanes)
        self._takes_turns = lanes > 1

    def finish(self, *jobs: Message) -> list[Message]:
        """All that it says about these jobs, which are under way at once; RuntimeError when one fails or the worker is
        spent.
        """
        self._sent.clear()
        for job in jobs:
            self.worker.handle(job)
        answered, num_open = 0, len(jobs)
        while True:
            if self._takes_turns:  # everything that was said has been answered
                self.worker.handle({"type": "go"})
            is_moving = self.worker.advance()
            for message in self._sent[answered:]:
                if message["type"] in ("failed", "spent", "lost"):
                    raise RuntimeError(f"{message}")
                num_open -= message["type"] == "ended"
                if message["type"] == "measured":
                    self.worker.handle({"type": "continue", "job": message["job"]})
                    is_moving = True
            if num_open == 0:
                return list(self._sent)
            if not is_moving and answered == len(self._sent):
                raise RuntimeError(f"{jobs[0]['job']} neither ends nor asks anything")
            answered = len(self._sent)

    def _hear(self, message: Message) -> None:
        self._sent += message["messages"] if message["type"] == "turn" else [message]
