"""The loop: ask, submit, poll, report, prune, tell, record. Everything it needs is handed to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ftsweep.analysis.confirmation import contenders
from ftsweep.analysis.forgetting import forgetting_tags
from ftsweep.config.schema import SweepConfig
from ftsweep.control.conclude import Conclusion, Ending
from ftsweep.control.confirm import Confirmation
from ftsweep.control.data_scaling import QuantityProbe
from ftsweep.control.jobs import ENDINGS, POLL_SECONDS, Jobs, trial_job, trial_number
from ftsweep.control.prepare import measured_baseline, prepare_data
from ftsweep.control.retention import KeptWeights
from ftsweep.control.stopping import Limits
from ftsweep.control.throttle import Pace
from ftsweep.domain.halt import Halt
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.snapshot import Snapshot
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.executors.attempts import SameErrors, reason_of
from ftsweep.executors.base import Executor, Message
from ftsweep.recording.base import Recorder
from ftsweep.search.study import Study
from ftsweep.store.atomic import remove_folder, write_json
from ftsweep.store.folders import StudyFolder, TrialFolder
from ftsweep.store.requests import STOPPED, Requests
from ftsweep.verdicts.live import Verdicts

_LOGGER = logging.getLogger(__name__)
STOP_SECONDS = 6.0  # for the record to arrive, once the user wants to stop: all of it together stays under ten


@dataclass
class Sweep:
    """One study being run by this process, which holds its lock."""

    config: SweepConfig
    folder: StudyFolder
    study: Study
    executor: Executor
    recorder: Recorder
    watch: Callable[[Snapshot], None] = lambda snapshot: None
    clock: Callable[[], float] = time.monotonic
    data: dict[str, Any] = field(default_factory=dict)  # facts of the prepared set by branch label
    baseline: dict[str, dict[str, float]] = field(default_factory=dict)  # by branch label
    trials: dict[int, TrialRecord] = field(default_factory=dict)
    is_stopping: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._owner = self.folder.owner
        self._search_started: float | None = None
        self._done_before = 0.0  # trials' worth of work that earlier processes did
        self._waiting: list[Proposal] = []  # to be continued: of an earlier process, set aside, or lost by a worker
        self._pausing: set[int] = set()  # trials that were told to be set aside
        self._stopped: set[int] = set()  # trials that the user asked to end
        self._same_errors = SameErrors()
        self._weights = KeptWeights(self.folder, self.config.objective, self.config.selection.top)
        self._pace, self._shown = Pace(), ""
        self._branches = {branch.name: branch for branch in self.config.branches}
        self.verdicts = Verdicts(self.folder, self.config.objective, self._branches, self.baseline, self.data)
        self._jobs = Jobs(self.executor, self.folder, self._handle, self._show, lambda: self.is_stopping)
        self._limits = Limits(self.config, self.folder, lambda: self.clock() - self._started)
        self._requests = Requests(self.folder)

    # -- the loop -------------------------------------------------------------------------------------------------

    def search(self) -> None:
        """Run trials until the budget is spent, the space is exhausted, or `stop` is called."""
        self._recover()
        self._search_started, self._done_before = self.clock(), self.snapshot("").num_done
        while not self.is_stopping:
            self._heed_trial_stops()
            halt = self._limits.halt(self.records) if self._has_more_to_do else None
            self._heed(halt)
            self._fill(halt)
            if self._is_over(halt):
                self.note = self.study.is_exhausted() or self.note
                break
            for message in self.executor.poll(POLL_SECONDS):
                self._handle(message)
            self._show("searching")
        self._shown = ""  # so that the last endings are shown, too
        self._show("searching")

    def stop(self) -> None:
        """End whatever goes on at the next opportunity; running trials stay to be continued. A signal handler may."""
        self.is_stopping = True
        self.recorder.hurry(STOP_SECONDS)

    def _heed(self, halt: Halt | None) -> None:
        """Say why the search comes to its end, and have trials under way set aside where it asks for that."""
        if halt is None:
            return
        if halt.text != self.note:
            self.note = halt.text
            _LOGGER.warning("%s", halt.text)
        if halt.sets_aside:
            for record in self._running:
                if record.number not in self._pausing:
                    self._pausing.add(record.number)
                    self.executor.reply(trial_job(record.number), {"type": "pause"})

    def _fill(self, halt: Halt | None) -> None:
        """Give every free lane a trial: first those to be continued, then new ones."""
        while self.executor.num_free > 0:
            if self._waiting and not (halt is not None and halt.sets_aside):
                self._submit(self._waiting.pop(0))
            elif halt is None and self._may_ask and (proposal := self._ask()) is not None:
                self._submit(proposal)
            else:
                return

    def _is_over(self, halt: Halt | None) -> bool:
        """Whether nothing runs and nothing will, after every free lane was offered work."""
        if self._running:
            return False
        if self._waiting:
            return halt is not None and halt.sets_aside
        return halt is not None or not self._may_ask or self.executor.num_free > 0

    def _heed_trial_stops(self) -> None:
        """End the trials that `ftsweep stop --trial` names: waiting ones now, running ones at their next step."""
        for number in self._requests.trials():
            record = self.trials.get(number)
            if record is None or record.outcome is not None:
                self._requests.settle(number)
            elif record.proposal in self._waiting:
                self._waiting.remove(record.proposal)
                folder = self.folder.trial(number)
                rung = record.measurements[-1].rung if record.measurements else None
                outcome = Outcome(OutcomeKind.PRUNED, STOPPED, rung=rung)
                self._conclude_trial(folder, outcome)
                self._ended(record.proposal, outcome)
            elif number not in self._stopped:
                self._stopped.add(number)
                self.executor.reply(trial_job(number), {"type": "stop", "kind": "pruned", "reason": STOPPED})

    def _ask(self) -> Proposal | None:
        return self.study.ask(avoid=self._limits.slow_branches(self.records))

    def _submit(self, proposal: Proposal) -> None:
        branch = self._branches[proposal.branch]
        folder = self.folder.trial(proposal.number)
        spec = {
            "number": proposal.number,
            "branch": proposal.branch,
            "is_default": proposal.is_default,
            "params": dict(proposal.params),
            "config": branch.config_with(proposal.params),
        }
        if not folder.spec_file.exists():
            write_json(folder.spec_file, spec)
        self._pausing.discard(proposal.number)
        self.trials[proposal.number] = TrialRecord(proposal, tuple(folder.measurements()))
        self.executor.submit(self._jobs.make("train", trial_job(proposal.number), folder, spec))
        self.recorder.begin_trial(proposal, tags=self._tags(proposal), params=proposal.params)

    def _handle(self, message: Message) -> None:
        kind = message["type"]
        if kind == "log":
            _LOGGER.log(logging.getLevelNamesMapping().get(message["level"].upper(), 20), "%s", message["text"])
        if kind not in {"measured", *ENDINGS} or not message["job"].startswith("trial-"):
            return
        record = self.trials[trial_number(message["job"])]
        if record.outcome is not None:
            return
        if kind == "measured":
            self._measured(record, Measurement.from_dict(message["measurement"]))
        elif kind == "ended" and message["outcome"] is None:  # set aside, with a checkpoint
            self._waiting.append(record.proposal)
        elif kind == "ended":
            self._ended(record.proposal, Outcome.from_dict(message["outcome"]))
        elif kind == "failed" and message["kind"] == "user":
            self._failed(record.proposal, message)
        else:
            self._lost(record.proposal, message)

    def _measured(self, record: TrialRecord, measurement: Measurement) -> None:
        """Decide first, so that the trial waits for nothing else; then record."""
        proposal = record.proposal
        self.study.report(proposal.number, measurement)
        reason = None
        if measurement.rung < self.config.rungs.count:
            reason = STOPPED if proposal.number in self._stopped else None
            if reason is None and measurement.rung > 0:
                reason = self.study.should_prune(proposal.number)
            answer = {"type": "continue"} if reason is None else {"type": "stop", "kind": "pruned", "reason": reason}
            self.executor.reply(trial_job(proposal.number), {**answer, "job": trial_job(proposal.number)})
        self._pausing.discard(proposal.number)  # told in a stage, where it cannot be heeded: tell it again
        self.trials[proposal.number] = replace(record, measurements=(*record.measurements, measurement))
        self.recorder.measure(proposal, measurement)
        if self.verdicts.judge(self.trials[proposal.number]):
            self.recorder.begin_trial(proposal, tags=self._tags(proposal), params=proposal.params)

    def _ended(self, proposal: Proposal, outcome: Outcome) -> None:
        folder = self.folder.trial(proposal.number)
        measurements = folder.measurements()
        record = TrialRecord(proposal, tuple(measurements), outcome)
        self.trials[proposal.number] = record
        best = self.config.objective.best(measurements)
        self.study.tell(proposal.number, outcome, measurements, constraints=best.constraints if best else None)
        self.verdicts.judge(record)
        self._record_ending(record, outcome)
        self._weights.add(record)
        _LOGGER.info("trial %d %s: %s", proposal.number, outcome.kind, outcome.reason)

    def _record_ending(self, record: TrialRecord, outcome: Outcome) -> None:
        best = self.config.objective.best(record.measurements)
        values = best.values if best else {}
        self.recorder.end_trial(record.proposal, outcome, best=values, tags=self._tags(record.proposal))

    def _failed(self, proposal: Proposal, message: Message) -> None:
        """A trial's own error ends the trial; the same one in several trials ends the study."""
        folder = self.folder.trial(proposal.number)
        outcome = Outcome(
            OutcomeKind.FAILED,
            reason=f"{message['error_class']}: {message['message']}",
            error_class=message["error_class"],
            log_tail=message.get("traceback") or folder.log_tail(),
        )
        self._conclude_trial(folder, outcome)
        self._ended(proposal, outcome)
        log = str(folder.log_file)
        self._same_errors.count(message["error_class"], str(message["message"]), message.get("where"), log)

    def _lost(self, proposal: Proposal, message: Message) -> None:
        """The worker is gone, not the trial: continue it from its checkpoint, a few times."""
        number = proposal.number
        self._jobs.note_lost(message)
        _LOGGER.warning("trial %d: %s", number, reason_of(message))
        outcome = self._jobs.attempts.after(message)
        if outcome is None:
            if not self._catch_up(proposal):
                self._waiting.append(proposal)
            return
        folder = self.folder.trial(number)
        self._conclude_trial(folder, outcome)
        self._ended(proposal, outcome)
        if outcome.kind is OutcomeKind.FAILED:
            self._same_errors.count("WorkerLost", outcome.reason, None, str(folder.log_file))

    # -- after a crash --------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Take up what earlier processes of this study left: tell what ended, queue what did not."""
        for record in self.study.records():
            number = record.proposal.number
            folder = self.folder.trial(number)
            outcome = record.outcome and (folder.outcome() or record.outcome)  # the folder's tells what it cost, too
            self.trials[number] = TrialRecord(record.proposal, tuple(folder.measurements()), outcome)
        self._weights.take_up(self.records)
        for proposal in self.study.running():
            outcome = self.folder.trial(proposal.number).outcome()
            if outcome is not None:
                self._catch_up(proposal, decide=False)
                self._ended(proposal, outcome)
            elif not self._catch_up(proposal):
                self._waiting.append(proposal)
        self.verdicts.recover(self.records)

    def _catch_up(self, proposal: Proposal, *, decide: bool = True) -> bool:
        """Report what is on disk and was never heard of, and take the decision that it waited for.

        Whether the trial is over (pruned) by that decision.
        """
        folder = self.folder.trial(proposal.number)
        measurements = folder.measurements()
        for measurement in measurements:
            self.study.report(proposal.number, measurement)
            self.recorder.measure(proposal, measurement)
        self.trials[proposal.number] = TrialRecord(proposal, tuple(measurements))
        if not decide or not measurements or not 0 < measurements[-1].rung < self.config.rungs.count:
            return False
        reason = self.study.should_prune(proposal.number)
        if reason is None:
            return False
        outcome = Outcome(OutcomeKind.PRUNED, reason, rung=measurements[-1].rung)
        self._conclude_trial(folder, outcome)
        self._ended(proposal, outcome)
        return True

    @staticmethod
    def _conclude_trial(folder: TrialFolder, outcome: Outcome) -> None:
        """What a worker does at a trial's end, where no worker is left to do it."""
        remove_folder(folder.checkpoint)
        folder.write_outcome(outcome)

    # -- before the search ----------------------------------------------------------------------------------------

    def prepare(self) -> dict[str, Any]:
        """Have the data of every branch prepared; facts by branch label. Bad data raises here: see `prepare_data`."""
        self.data.update(prepare_data(self.config, self.folder, self._jobs))
        return self.data

    def measure_baselines(self) -> None:
        """Measure each branch's untouched base on validation, once per study."""
        for branch in self.config.branches:
            self.baseline[branch.label] = measured_baseline(branch, self.folder, self._jobs)
            self._record_baseline(branch)

    def estimate(self, branch: Branch) -> dict[str, Any]:
        """Time a few steps of a branch's configuration as written; see the engine's `estimate` job."""
        return self._jobs.call(self._jobs.about_branch("estimate", branch), f"timing {branch.label}")

    # -- after the search -----------------------------------------------------------------------------------------

    def conclude(self) -> Conclusion:
        """Choose, test once, compare, export and register; see `ftsweep.control.conclude`."""
        for record in self.verdicts.settle(self.records):
            if record.outcome is not None:
                self._record_ending(record, record.outcome)
        confirmations = self.confirm()
        ending = Ending(
            self.config,
            self.folder,
            self.records,
            call=self._call_for_trial,
            recorder=self.recorder,
            baseline=self.baseline,
            data=self.data,
            importances=self.study.importances(),
            note=self.note,
            confirmations=confirmations,
            probe=self._probe if self.config.selection.quantity else None,
            scaling=self._scaling,
        )
        return ending.conclude()

    def confirm(self) -> dict[int, list[TrialRecord]]:
        """Run the best trials again with fresh seeds, as `selection` says; their runs by trial number."""
        settings = self.config.selection
        chosen = contenders(self.records, self.config.objective, settings.top) if settings.seeds else []
        if not chosen:
            return {}
        confirmation = Confirmation(self._jobs, self._why_not_confirm)
        runs = confirmation.run(chosen, settings.seeds)
        self.note = " ".join(filter(None, (self.note, confirmation.note)))
        return runs

    def _why_not_confirm(self, record: TrialRecord) -> str | None:
        halt = self._limits.may_confirm(record, self.records, self.folder.confirmed())
        return None if halt is None else halt.text

    def _probe(self, number: int) -> dict[str, Any]:
        """Whether more data would help the setting of a trial."""
        record = self.trials[number]
        probe = QuantityProbe(
            self._jobs,
            self.config.objective,
            self._call_for_trial,
            takes_few=self._branches[record.proposal.branch].role.takes_few,
            refuse=self._why_not_confirm,
        )
        num_examples = self.data[record.proposal.branch or "main"]["num_examples"]["train"]
        return probe.measure(record, max(1, self.config.selection.seeds), num_examples)

    def _scaling(self, number: int) -> dict[str, Any]:
        """What a trial scores when its trained change is made smaller."""
        return self._call_for_trial("scale", f"scaling what trial {number} has learned", number, {})

    def _call_for_trial(self, kind: str, phase: str, number: int, extra: Mapping[str, Any]) -> dict[str, Any]:
        return self._jobs.call(self._jobs.about_trial(kind, number, extra), phase)

    # -- small things ---------------------------------------------------------------------------------------------

    @property
    def records(self) -> list[TrialRecord]:
        return list(self.trials.values())  # begun in order

    @property
    def _running(self) -> list[TrialRecord]:
        waiting = {proposal.number for proposal in self._waiting}
        return [self.trials[proposal.number] for proposal in self.study.running() if proposal.number not in waiting]

    @property
    def _may_ask(self) -> bool:
        return self.study.num_asked < self.config.budget.trials and not self.study.is_exhausted()

    @property
    def _has_more_to_do(self) -> bool:
        """Whether a limit would keep anything from being done."""
        return self._may_ask or bool(self.study.running())

    def _trial_tags(self, branch: Branch) -> dict[str, str]:
        fingerprint = self.data.get(branch.label, {}).get("fingerprint", "")
        return {"branch": branch.label, "data_fingerprint": fingerprint}

    def _tags(self, proposal: Proposal) -> dict[str, str]:
        record = self.trials.get(proposal.number)
        tags = forgetting_tags(record.measurements, self.config.objective) if record else {}
        return self._trial_tags(self._branches[proposal.branch]) | self.verdicts.tags(proposal.number) | tags

    def _record_baseline(self, branch: Branch) -> None:
        proposal = Proposal(-1, branch.name, {})
        values = {f"validation/{name}": value for name, value in self.baseline[branch.label].items()}
        outcome = Outcome(OutcomeKind.COMPLETE, "the untouched base, or the prior of a new head")
        self.recorder.begin_trial(proposal, tags=self._trial_tags(branch), params={})
        self.recorder.end_trial(proposal, outcome, best=values, tags=self._trial_tags(branch))

    def snapshot(self, phase: str) -> Snapshot:
        return Snapshot(
            study=self.config.study.name,
            phase=phase,
            objective=self.config.objective,
            num_rungs=self.config.rungs.count,
            num_planned=self.config.budget.trials,
            trials=tuple(self.records),
            baseline={
                label: values[self.config.objective.metric]
                for label, values in self.baseline.items()
                if self.config.objective.metric in values
            },
            elapsed_seconds=self.clock() - self._started,
            note=" ".join(filter(None, (self.note, self._jobs.lost_text()))),
            verdicts=self.verdicts.found,
        )

    def _show(self, phase: str) -> None:
        if not self.is_stopping and self._requests.is_asked_to_stop(self._owner):
            self.note = "Stopped by `ftsweep stop`."
            _LOGGER.info("%s", self.note)
            self.stop()
        if phase == self._shown and not self._pace.is_due():
            return
        self._shown = phase
        with self._pace.measured():
            snapshot = self.snapshot(phase)
            self.watch(replace(snapshot, seconds_left=self._seconds_left(snapshot)))

    def _seconds_left(self, snapshot: Snapshot) -> float | None:
        """By the pace of this process's search."""
        if self._search_started is None:
            return None
        done = snapshot.num_done - self._done_before
        left = max(0.0, snapshot.num_planned - snapshot.num_done)
        return None if done <= 0 else (self.clock() - self._search_started) * left / done
