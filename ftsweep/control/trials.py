"""The study's trials as this process knows them: under way, waiting, paused, ended; and what earlier ones left."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ftsweep.control.listeners import Listener
from ftsweep.control.lost_workers import LostWorkers
from ftsweep.control.paused_checkpoints import dropped_text, least_missed
from ftsweep.domain.decision import Prune
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.messages import Failed, Lost
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, StoredPause, TrialRecord
from ftsweep.executors.attempts import SameErrors, reason_of
from ftsweep.search.study import Study
from ftsweep.store.atomic import folder_size, remove_folder, write_json
from ftsweep.store.folders import StudyFolder

_LOGGER = logging.getLogger(__name__)


@dataclass
class Trials:
    """Every change of a trial goes through here, so that the study in Optuna, the folders and the listeners agree."""

    study: Study
    folder: StudyFolder
    objective: Objective
    num_rungs: int
    branches: dict[str, Branch]
    """By name."""
    lost_workers: LostWorkers
    listeners: Sequence[Listener] = ()
    by_number: dict[int, TrialRecord] = field(default_factory=dict)
    waiting: list[Proposal] = field(default_factory=list)
    """To go on at the next free lane: of an earlier process, set aside at a limit, or lost by a worker."""
    paused: dict[int, Proposal] = field(default_factory=dict)
    """To go on when the pruner says so; at the end of the search they stay for a run with more budget."""
    _same_errors: SameErrors = field(default_factory=SameErrors)

    @property
    def records(self) -> list[TrialRecord]:
        """In the order in which they were begun."""
        return list(self.by_number.values())

    @property
    def running(self) -> list[TrialRecord]:
        """Those that a worker has."""
        resting = {proposal.number for proposal in self.waiting} | self.paused.keys()
        return [self.by_number[each.number] for each in self.study.running() if each.number not in resting]

    # -- from beginning to end ------------------------------------------------------------------------------------

    def spec(self, proposal: Proposal) -> dict[str, Any]:
        """What a worker must know to train it, as it lies in the trial's folder from now on."""
        branch, folder = self.branches[proposal.branch], self.folder.trial(proposal.number)
        spec = {
            "number": proposal.number,
            "branch": proposal.branch,
            "is_default": proposal.is_default,
            "params": dict(proposal.params),
            "config": branch.config_with(proposal.params),
        }
        if not folder.spec_file.exists():
            write_json(folder.spec_file, spec)
        return spec

    def began(self, proposal: Proposal) -> None:
        """A worker has it now."""
        number = proposal.number
        self.paused.pop(number, None)
        known, measurements = self.by_number.get(number), tuple(self.folder.trial(number).measurements())
        record = TrialRecord(proposal, measurements, last_pause=known.last_pause if known else None)
        self.by_number[number] = record
        for listener in self.listeners:
            listener.began(record)

    def measured(self, record: TrialRecord, measurement: Measurement) -> None:
        """It reached a rung, and has its answer."""
        record = replace(record, measurements=(*record.measurements, measurement))
        self.by_number[record.number] = record
        for listener in self.listeners:
            listener.measured(record)

    def set_aside(self, proposal: Proposal) -> None:
        """It gave its lane away, with a checkpoint."""
        number = proposal.number
        pause = self.study.pause_of(number)
        if pause is None:
            self.resumed(number)
            self.waiting.append(proposal)
            return
        self.paused[number] = proposal
        known = self.by_number[number].pause
        record = self._with_pause(number, known if known is not None and known.rung == pause.rung else pause)
        for listener in self.listeners:
            listener.paused(record)

    def ended(self, proposal: Proposal, outcome: Outcome) -> None:
        """Its outcome is on disk."""
        record = TrialRecord(proposal, tuple(self.folder.trial(proposal.number).measurements()), outcome)
        self.by_number[proposal.number] = record
        best = self.objective.best(record.measurements)
        self.study.tell(proposal.number, outcome, record.measurements, constraints=best.constraints if best else None)
        for listener in self.listeners:
            listener.ended(record)
        _LOGGER.info("trial %d %s: %s", proposal.number, outcome.kind, outcome.reason)

    def end(self, proposal: Proposal, outcome: Outcome) -> None:
        """Do what a worker does at a trial's end, where no worker is left to do it."""
        folder = self.folder.trial(proposal.number)
        remove_folder(folder.checkpoint)
        folder.write_outcome(outcome)
        self.ended(proposal, outcome)

    def prune(self, record: TrialRecord, reason: str) -> None:
        """End a trial that no worker has."""
        self.waiting = [proposal for proposal in self.waiting if proposal.number != record.number]
        self.paused.pop(record.number, None)
        rung = record.measurements[-1].rung if record.measurements else None
        self.end(record.proposal, Outcome(OutcomeKind.PRUNED, reason, rung=rung))

    def release(self, number: int) -> None:
        """Where it is paused, have it go on at the next free lane."""
        self.study.release(number)
        if number in self.paused:
            self.waiting.append(self.paused.pop(number))
            self.resumed(number)

    def make_room(self, excess_bytes: int, limit: str) -> int:
        """Remove checkpoints of paused trials, see `least_missed`, until so many bytes are free; how many are."""
        freed, dropped = 0, []
        for record in least_missed(self.records, self.objective):
            if freed >= excess_bytes:
                break
            assert record.pause is not None
            checkpoint = self.folder.trial(record.number).checkpoint
            freed += folder_size(checkpoint)
            dropped.append(self._with_pause(record.number, replace(record.pause, has_checkpoint=False)))
            remove_folder(checkpoint)  # last: a checkpoint that nobody counts on may be there, not the other way round
        if dropped:
            _LOGGER.warning("%s", dropped_text(dropped, limit))
        for record in dropped:
            for listener in self.listeners:
                listener.paused(record)
        return freed

    def resumed(self, number: int) -> None:
        """Have folder and record tell that a trial's pause is over, if there is one: before a node has the folder."""
        record = self.by_number.get(number)
        if record is not None and record.pause is not None:
            self._with_pause(number, replace(record.pause, is_over=True))

    def _with_pause(self, number: int, pause: StoredPause) -> TrialRecord:
        """Have folder and record tell of a trial's pause."""
        write_json(self.folder.trial(number).pause_file, asdict(pause))
        record = self.by_number[number] = replace(self.by_number[number], last_pause=pause)
        return record

    def failed(self, proposal: Proposal, message: Failed) -> None:
        """Its own error ends it.

        Raises:
            StudyError: several trials have failed in the same way.
        """
        folder = self.folder.trial(proposal.number)
        outcome = Outcome(
            OutcomeKind.FAILED,
            reason=f"{message['error_class']}: {message['message']}",
            error_class=message["error_class"],
            log_tail=message.get("traceback") or folder.log_tail(),
        )
        self.end(proposal, outcome)
        log = str(folder.log_file)
        self._same_errors.count(message["error_class"], str(message["message"]), message.get("where"), log)

    def lost(self, proposal: Proposal, message: Failed | Lost) -> None:
        """The worker is gone, not the trial: it goes on from its checkpoint, a few times.

        Raises:
            StudyError: several trials have lost all their workers, or nothing can be written.
        """
        _LOGGER.warning("trial %d: %s", proposal.number, reason_of(message))
        outcome = self.lost_workers.after(message)
        if outcome is None:
            self._take_up(proposal)
            return
        self.end(proposal, outcome)
        if outcome.kind is OutcomeKind.FAILED:
            log = str(self.folder.trial(proposal.number).log_file)
            self._same_errors.count("WorkerLost", outcome.reason, None, log)

    # -- after a crash --------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Take up what earlier processes of this study left: tell what ended, queue what did not."""
        for stored in self.study.records():
            number = stored.proposal.number
            folder = self.folder.trial(number)
            outcome = stored.outcome and (folder.outcome() or stored.outcome)  # the folder's tells what it cost, too
            pause = folder.pause() if outcome is None else None
            self.by_number[number] = TrialRecord(stored.proposal, tuple(folder.measurements()), outcome, pause)
        for listener in self.listeners:
            listener.recovered(self.records)
        for proposal in self.study.running():
            outcome = self.folder.trial(proposal.number).outcome()
            if outcome is not None:
                self.ended(proposal, outcome)
            else:
                self._take_up(proposal)

    def _take_up(self, proposal: Proposal) -> None:
        """Report what is on disk and was never heard of, take the decision that it waited for, and have it wait."""
        measurements = tuple(self.folder.trial(proposal.number).measurements())
        for measurement in measurements:
            self.study.report(proposal.number, measurement)
        pause = self.folder.trial(proposal.number).pause()
        if pause is not None:
            self.study.take_up_pause(proposal.number, pause)
        record = self.by_number[proposal.number] = TrialRecord(proposal, measurements, last_pause=pause)
        if measurements and 0 < measurements[-1].rung < self.num_rungs:
            decision = self.study.decide(proposal.number)
            if isinstance(decision, Prune):
                self.prune(record, decision.reason)
                return
        self.set_aside(proposal)
