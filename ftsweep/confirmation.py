"""The best settings again, with fresh seeds: whether a trial won by its setting or by its luck."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftsweep.domain.trial import Outcome, OutcomeKind, TrialRecord
from ftsweep.executors.base import Message
from ftsweep.jobs import ENDINGS, MAX_RETRIES, POLL_SECONDS, Jobs, Stopped
from ftsweep.workspace import TrialFolder, remove_folder, write_json

_LOGGER = logging.getLogger(__name__)

FIRST_SEED = 1_000
"""Fresh seeds are the study's `seed.model` and this plus 1, 2, ...: far from those a person would type."""


@dataclass
class Confirmation:
    """Runs chosen trials again, each with its setting and every fresh seed, on all free lanes of an executor.

    What ended is on disk, and is not run again by a later process; what a kill interrupted goes on from its
    checkpoint. Nothing is pruned.
    """

    jobs: Jobs
    _waiting: list[Message] = field(default_factory=list)
    _running: dict[str, Message] = field(default_factory=dict)
    _retries: Counter[str] = field(default_factory=Counter)

    def run(self, records: Sequence[TrialRecord], num_seeds: int) -> dict[int, list[TrialRecord]]:
        """Runs of each trial by its number, one per fresh seed, in the order of the seeds.

        Raises:
            Stopped: the user asked to stop; the next process goes on.
        """
        wanted = [(record, index) for index in range(1, num_seeds + 1) for record in records]
        for record, index in wanted:
            folder = self.jobs.folder.confirmation(record.number, index)
            if folder.outcome() is None:
                self._waiting.append(self._job(record, index, folder))
        total, left = len(wanted), len(self._waiting)
        while self._waiting or self._running:
            if self.jobs.should_stop():
                raise Stopped
            while self._waiting and self.jobs.executor.num_free > 0:
                job = self._waiting.pop(0)
                self._running[job["job"]] = job
                self.jobs.executor.submit(job)
            num_done = total - len(self._waiting) - len(self._running)
            self.jobs.show(f"confirming the best settings with fresh seeds, {num_done} of {total} runs")
            for message in self.jobs.executor.poll(POLL_SECONDS):
                self._handle(message)
        if left:
            _LOGGER.info("%d of %d confirmation runs were made now", left, total)
        return {record.number: [self._record(record, index) for index in range(1, num_seeds + 1)] for record in records}

    def _job(self, record: TrialRecord, index: int, folder: TrialFolder) -> Message:
        spec = self.jobs.folder.trial(record.number).spec()
        seed = {**spec["config"]["seed"], "model": spec["config"]["seed"]["model"] + FIRST_SEED + index}
        # what the stages left is a part of the setting, like a base: it is not made again with every seed
        own = spec["config"].get("stages", {})
        stages = {name: {**stage, "seed": spec["config"]["seed"]} for name, stage in own.items()}
        spec = {**spec, "config": {**spec["config"], "seed": seed, "stages": stages}}
        if not folder.spec_file.exists():
            write_json(folder.spec_file, spec)
        return self.jobs.make("train", f"confirmation-{record.number:04d}-{index}", folder, spec)

    def _handle(self, message: Message) -> None:
        job = self._running.get(message.get("job") or "")
        if job is None:
            self.jobs.handle(message)
        elif message["type"] == "measured":
            self.jobs.executor.reply(job["job"], {"type": "continue", "job": job["job"]})
        elif message["type"] in ENDINGS:
            del self._running[job["job"]]
            self._ended(job, message)

    def _ended(self, job: Message, message: Mapping[str, Any]) -> None:
        name = job["job"]
        folder = TrialFolder(self.jobs.folder.confirmations / name.removeprefix("confirmation-"))
        if message["type"] == "lost" or (message["type"] == "failed" and message["kind"] != "user"):
            self._retries[name] += 1
            self.jobs.note_lost(dict(message))
            if self._retries[name] <= MAX_RETRIES:
                self._waiting.append(job)
                return
            folder.write_outcome(Outcome(OutcomeKind.FAILED, f"lost {MAX_RETRIES + 1} workers"))
        elif message["type"] == "failed":
            reason = f"{message['error_class']}: {message['message']}"
            folder.write_outcome(Outcome(OutcomeKind.FAILED, reason, error_class=message["error_class"]))
        remove_folder(folder.best)  # the trial's own weights are those that count

    def _record(self, record: TrialRecord, index: int) -> TrialRecord:
        folder = self.jobs.folder.confirmation(record.number, index)
        return TrialRecord(record.proposal, tuple(folder.measurements()), folder.outcome())
