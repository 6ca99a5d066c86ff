"""Settings trained again outside of the search: with fresh seeds, or on a part of train."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftsweep.control.jobs import Jobs, Stopped, heard
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.messages import Answer, Ended, Failed, Lost, ToControl
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.store.atomic import remove_folder, write_json
from ftsweep.store.folders import TrialFolder

_LOGGER = logging.getLogger(__name__)

FIRST_SEED = 1_000
"""Fresh seeds are the study's `seed.model` and this plus 1, 2, ...: far from those a person would type."""


@dataclass(frozen=True)
class Rerun:
    """One run: the name of its job, the folder that holds it, and its spec as a trial has one."""

    name: str
    folder: TrialFolder
    spec: Mapping[str, Any]
    keeps_weights: bool = False
    """Whether its weights may be handed over, and stay when it has ended."""

    def record(self, proposal: Proposal) -> TrialRecord:
        """What it came to, as a record of the trial whose setting it has."""
        return TrialRecord(proposal, tuple(self.folder.measurements()), self.folder.outcome())


@dataclass
class Reruns:
    """Makes runs on all free lanes of an executor.

    What ended is on disk, and is not run again by a later process; what a kill interrupted goes on from its
    checkpoint.
    """

    jobs: Jobs
    refuse: Callable[[Rerun], str | None] = lambda run: None
    """Why a run may not start any more, asked when a lane is free for it; it is then left out."""
    why_stop: Callable[[Rerun, Measurement], str | None] = lambda run, at: None
    """Why a run that has measured a rung need not end; None: it shall go on. The same whenever it is asked."""
    left_out: str = ""
    """The last such reason."""
    _waiting: list[Rerun] = field(default_factory=list)
    _running: dict[str, Rerun] = field(default_factory=dict)

    def run(self, wanted: Sequence[Rerun], phase: str) -> None:
        """Have every run ended; `phase` says what goes on, in a few words.

        Raises:
            Stopped: the user asked to stop; the next process goes on.
            StudyError: nothing can be written; the next process goes on.
        """
        self._waiting = [run for run in wanted if run.folder.outcome() is None]
        for run in wanted:
            if run not in self._waiting:  # a process that was killed just then did not come to this
                self._drop_weights(run)
        total, left = len(wanted), len(self._waiting)
        while self._waiting or self._running:
            if self.jobs.monitor.is_stopping:
                raise Stopped
            while self._waiting and self.jobs.executor.num_free > 0:
                run = self._waiting.pop(0)
                if reason := self._why_stop_now(run):
                    self._end(run, Outcome(OutcomeKind.PRUNED, reason))
                elif reason := self.refuse(run):
                    self.left_out = reason
                else:
                    self._submit(run)
            num_done = total - len(self._waiting) - len(self._running)
            self.jobs.monitor.show(f"{phase}, {num_done} of {total} runs")
            for message in heard(self.jobs.executor):
                self._handle(message)
        if left:
            _LOGGER.info("%s: %d of %d runs were made now", phase, left, total)

    def _submit(self, run: Rerun) -> None:
        if not run.folder.spec_file.exists():
            write_json(run.folder.spec_file, run.spec)
        self._running[run.name] = run
        self.jobs.executor.submit(self.jobs.make.train(run.name, run.folder, run.spec))

    def _handle(self, message: ToControl) -> None:
        run = self._running.get(str(message.get("job") or ""))
        if run is None:
            self.jobs.monitor.hear(message)
        elif message["type"] == "measured":
            reason = self.why_stop(run, Measurement.from_dict(message["measurement"]))
            self.jobs.executor.reply(run.name, _answer(run.name, reason))
        elif message["type"] == "ended" or message["type"] == "failed" or message["type"] == "lost":
            del self._running[run.name]
            self._ended(run, message)

    def _ended(self, run: Rerun, message: Ended | Failed | Lost) -> None:
        if message["type"] == "failed" and message["kind"] == "user":
            reason = f"{message['error_class']}: {message['message']}"
            run.folder.write_outcome(Outcome(OutcomeKind.FAILED, reason, error_class=message["error_class"]))
        elif message["type"] != "ended":
            outcome = self.jobs.lost_workers.after(message)
            if outcome is None:
                self._waiting.append(run)
                return
            self._end(run, outcome)
        self._drop_weights(run)

    def _why_stop_now(self, run: Rerun) -> str | None:
        """Of a run that an earlier process began: the answer that it may not have come to."""
        return next((reason for at in run.folder.measurements() if (reason := self.why_stop(run, at))), None)

    def _end(self, run: Rerun, outcome: Outcome) -> None:
        remove_folder(run.folder.checkpoint)
        run.folder.write_outcome(outcome)

    def _drop_weights(self, run: Rerun) -> None:
        if not run.keeps_weights:
            remove_folder(run.folder.best)


def _answer(name: str, reason: str | None) -> Answer:
    if reason is None:
        return {"type": "continue", "job": name}
    return {"type": "stop", "job": name, "kind": OutcomeKind.PRUNED.value, "reason": reason}


def with_fresh_seed(spec: Mapping[str, Any], index: int) -> dict[str, Any]:
    """A trial's spec with its fresh seed number `index`, counted from 1.

    What the stages left is a part of the setting, like a base: it is not made again with every seed.
    """
    config = spec["config"]
    seed = {**config["seed"], "model": config["seed"]["model"] + FIRST_SEED + index}
    stages = {name: {**stage, "seed": config["seed"]} for name, stage in config.get("stages", {}).items()}
    return {**spec, "config": {**config, "seed": seed, "stages": stages}}
