"""The loop: fill the free lanes, hear what comes back, decide. Everything it needs is handed to it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from ftsweep.control.halt import Halt
from ftsweep.control.heeding import Heeding
from ftsweep.control.jobs import Jobs, heard, trial_job, trial_number
from ftsweep.control.monitor import StudyMonitor
from ftsweep.control.stopping import Stopping
from ftsweep.control.trials import Trials
from ftsweep.domain.decision import GO_ON, Decision, Pause, Prune
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.messages import Answer, ToControl
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.executors.base import Executor
from ftsweep.search.study import Study
from ftsweep.store.requests import STOPPED

_LOGGER = logging.getLogger(__name__)


@dataclass
class Sweep:
    """One study being searched by this process, which holds its lock.

    What the search needs to know of a trial it asks of `study` and `trials`; what follows from an event besides the
    decision is the matter of the listeners of `trials`.
    """

    study: Study
    trials: Trials
    executor: Executor
    jobs: Jobs
    stopping: Stopping
    heeding: Heeding
    monitor: StudyMonitor
    num_rungs: int
    _pausing: set[int] = field(default_factory=set)
    """Trials that were told to be set aside at a limit."""

    def search(self) -> None:
        """Run trials until the budget is spent, the space is exhausted, or the user wants to stop."""
        self.heeding.recover()
        self.trials.recover()
        self.monitor.begin_search()
        while not self.monitor.is_stopping:
            self.heeding.heed(self._tell)
            self.keep_disk()
            halt = self.stopping.halt(self.trials.records) if self._is_anything_left else None
            self._heed(halt)
            self._fill(halt)
            if self._is_over(halt):
                self.monitor.note = self.study.is_exhausted() or self.monitor.note
                break
            for message in heard(self.executor):
                self._handle(message)
            self.monitor.show("searching")
        self.monitor.end_search()

    # -- fill -----------------------------------------------------------------------------------------------------

    def _fill(self, halt: Halt | None) -> None:
        """Give every free lane a trial: first those that wait, then what the study says, a paused one or a new one."""
        is_ending = halt is not None and halt.sets_aside
        while self.executor.num_free > 0 and not is_ending:
            proposal = self.trials.waiting.pop(0) if self.trials.waiting else self._next(may_begin=halt is None)
            if proposal is None:
                return
            self._submit(proposal)

    def _next(self, *, may_begin: bool) -> Proposal | None:
        avoid = self.stopping.slow_branches(self.trials.records) if may_begin and self._may_ask else ()
        step = self.study.next(self.trials.paused, avoid, may_begin=may_begin and self._may_ask)
        return None if step is None else step.proposal

    def _submit(self, proposal: Proposal) -> None:
        number = proposal.number
        spec = self.trials.spec(proposal)
        self.trials.resumed(number)
        self._pausing.discard(number)
        self.executor.submit(self.jobs.make.train(trial_job(number), self.trials.folder.trial(number), spec))
        self.trials.began(proposal)

    # -- handle ---------------------------------------------------------------------------------------------------

    def _handle(self, message: ToControl) -> None:
        record = self._record_of(message)
        if record is None or message["type"] == "log":
            self.monitor.hear(message)
        elif message["type"] == "measured":
            self._measured(record, Measurement.from_dict(message["measurement"]))
        elif message["type"] == "ended":
            outcome = message["outcome"]
            if outcome is None:
                self.trials.set_aside(record.proposal)
            else:
                self.trials.ended(record.proposal, Outcome.from_dict(outcome))
        elif message["type"] == "failed" and message["kind"] == "user":
            self.trials.failed(record.proposal, message)
        elif message["type"] == "failed" or message["type"] == "lost":
            self.trials.lost(record.proposal, message)

    def _record_of(self, message: ToControl) -> TrialRecord | None:
        """The trial that it is about; None: it is about none, or about one that has ended."""
        job = str(message.get("job") or "")
        record = self.trials.by_number[trial_number(job)] if job.startswith("trial-") else None
        return None if record is None or record.outcome is not None else record

    def _measured(self, record: TrialRecord, measurement: Measurement) -> None:
        """Decide first, so that the trial waits for nothing else."""
        self.monitor.waits = ""
        self.study.report(record.number, measurement)
        if measurement.rung < self.num_rungs:
            self._tell(record.number, self._decide(record.number, measurement.rung))
        self._pausing.discard(record.number)  # told in a stage, where it cannot be heeded: tell it again
        self.trials.measured(record, measurement)

    def _decide(self, number: int, rung: int) -> Decision:
        if number in self.heeding.to_stop:
            return Prune(STOPPED)
        return self.study.decide(number) if rung > 0 else GO_ON

    # -- stop -----------------------------------------------------------------------------------------------------

    def _heed(self, halt: Halt | None) -> None:
        """Say why the search comes to its end, and have trials under way set aside where it asks for that."""
        if halt is None:
            return
        if halt.text != self.monitor.note:
            self.monitor.note = halt.text
            _LOGGER.warning("%s", halt.text)
        if halt.sets_aside:
            for record in self.trials.running:
                if record.number not in self._pausing:
                    self._pausing.add(record.number)
                    self._tell(record.number, Pause(halt.text))

    def _is_over(self, halt: Halt | None) -> bool:
        """Whether nothing runs and nothing will, after every free lane was offered work."""
        if self.trials.running:
            return False
        if halt is not None and halt.sets_aside:
            return True
        if self.trials.waiting:
            return False
        was_offered = self.executor.num_free > 0
        return was_offered or not (self.trials.paused or (halt is None and self._may_ask))

    def keep_disk(self) -> None:
        """Have what paused trials keep stay within the limit."""
        if self.stopping.must_make_room(self.trials.records):
            freed = self.trials.make_room(self.stopping.excess_bytes(), self.stopping.disk_limit)
            self.stopping.note_freed(freed)

    @property
    def _may_ask(self) -> bool:
        return self.study.num_asked < self.stopping.config.budget.trials and not self.study.is_exhausted()

    @property
    def _is_anything_left(self) -> bool:
        """Whether a limit would keep anything from being done."""
        return self._may_ask or not self.study.is_at_rest()

    def _tell(self, number: int, decision: Decision) -> None:
        self.executor.reply(trial_job(number), _answer(trial_job(number), decision))


def _answer(job: str, decision: Decision) -> Answer:
    """A decision as the worker hears it."""
    match decision:
        case Prune(reason):
            return {"type": "stop", "job": job, "kind": OutcomeKind.PRUNED, "reason": reason}
        case Pause():
            return {"type": "pause", "job": job}
        case _:
            return {"type": "continue", "job": job}
