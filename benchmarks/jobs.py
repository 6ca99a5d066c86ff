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
    """A worker in this process that runs one job after another to its end."""

    def __init__(self, threads: int | None = None) -> None:
        self._sent: list[Message] = []
        self.worker: Worker = build_worker(self._sent.append, threads)

    def finish(self, job: Message) -> list[Message]:
        """All that it says about a job, `ended` last; RuntimeError when the job fails or the worker is spent."""
        self._sent.clear()
        self.worker.handle(job)
        answered = 0
        while True:
            is_moving = self.worker.advance()
            for message in self._sent[answered:]:
                if message["type"] in ("failed", "spent", "lost"):
                    raise RuntimeError(f"{job['job']}: {message}")
                if message["type"] == "ended":
                    return list(self._sent)
                if message["type"] == "measured":
                    self.worker.handle({"type": "continue", "job": job["job"]})
                    is_moving = True
            if not is_moving and answered == len(self._sent):
                raise RuntimeError(f"{job['job']} neither ends nor asks anything")
            answered = len(self._sent)
