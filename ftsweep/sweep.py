"""The loop: ask, submit, poll, report, prune, tell, record. Everything it needs is handed to it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ftsweep.budget import spent_budget
from ftsweep.conclusion import Conclusion, Ending
from ftsweep.config.schema import SweepConfig
from ftsweep.confirmation import Confirmation
from ftsweep.data_findings import collect, refuse, write_findings
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.snapshot import Snapshot
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.durable import read_json, remove, remove_folder, write_json
from ftsweep.errors import DataError, StudyError
from ftsweep.executors.base import Executor, Message
from ftsweep.jobs import ENDINGS, MAX_RETRIES, POLL_SECONDS, Jobs, trial_job, trial_number
from ftsweep.recording.base import Recorder
from ftsweep.search.comparison import kept_trials
from ftsweep.search.confirmed import contenders
from ftsweep.search.study import Study
from ftsweep.workspace import StudyFolder, TrialFolder

_LOGGER = logging.getLogger(__name__)

MAX_SAME_ERROR = 3  # trials that fail with one and the same error before the study stops


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
        self._search_started: float | None = None
        self._done_before = 0.0  # trials' worth of work that earlier processes did
        self._waiting: list[Proposal] = []  # to be continued: asked by an earlier process, or lost by a worker
        self._retries: Counter[int] = Counter()
        self._same_errors: Counter[tuple[str, str]] = Counter()
        self._branches = {branch.name: branch for branch in self.config.branches}
        self._jobs = Jobs(self.executor, self.folder, self._handle, self._show, lambda: self.is_stopping)

    # -- the loop -------------------------------------------------------------------------------------------------

    def search(self) -> None:
        """Run trials until the budget is spent, the space is exhausted, or `stop` is called."""
        self._recover()
        self._search_started, self._done_before = self.clock(), self.snapshot("").num_done
        while not self.is_stopping:
            self._fill()
            if not self._running and not self._waiting and not self._may_ask():
                self.note = self.study.is_exhausted() or self.note
                break
            for message in self.executor.poll(POLL_SECONDS):
                self._handle(message)
            self._show("searching")

    def stop(self) -> None:
        """End the search at the next opportunity; running trials stay to be continued."""
        self.is_stopping = True

    def _fill(self) -> None:
        """Give every free lane a trial: first those to be continued, then new ones."""
        while self.executor.num_free > 0:
            if self._waiting:
                self._submit(self._waiting.pop(0))
            elif self._may_ask() and (proposal := self.study.ask()) is not None:
                self._submit(proposal)
            else:
                return

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
        self.trials[proposal.number] = TrialRecord(proposal, tuple(folder.measurements()))
        self.executor.submit(self._jobs.make("train", trial_job(proposal.number), folder, spec))
        self.recorder.begin_trial(proposal, tags=self._trial_tags(branch), params=proposal.params)

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
            reason = self.study.should_prune(proposal.number) if measurement.rung > 0 else None
            answer = {"type": "continue"} if reason is None else {"type": "stop", "kind": "pruned", "reason": reason}
            self.executor.reply(trial_job(proposal.number), {**answer, "job": trial_job(proposal.number)})
        self.trials[proposal.number] = replace(record, measurements=(*record.measurements, measurement))
        self.recorder.measure(proposal, measurement)

    def _ended(self, proposal: Proposal, outcome: Outcome) -> None:
        folder = self.folder.trial(proposal.number)
        measurements = folder.measurements()
        record = TrialRecord(proposal, tuple(measurements), outcome)
        self.trials[proposal.number] = record
        self.study.tell(proposal.number, outcome, measurements)
        best = self.config.objective.best(measurements)
        self.recorder.end_trial(
            proposal, outcome, best=best.values if best else {}, tags=self._trial_tags(self._branches[proposal.branch])
        )
        self._drop_losers()
        _LOGGER.info("trial %d %s: %s", proposal.number, outcome.kind, outcome.reason)

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
        error = (message["error_class"], str(message.get("where") or message["message"]))
        self._same_errors[error] += 1
        if self._same_errors[error] >= MAX_SAME_ERROR:
            raise StudyError(
                f"{MAX_SAME_ERROR} trials failed with the same error, {message['error_class']}: {message['message']}",
                where=message.get("where") or str(folder.log_file),
                remedy="Mend it and run the same command again; add --debug for the traceback.",
            )

    def _lost(self, proposal: Proposal, message: Message) -> None:
        """The worker is gone, not the trial: continue it from its checkpoint, a few times."""
        number = proposal.number
        reason = message.get("reason") or message.get("message") or "its worker was lost"
        self._jobs.note_lost(message)
        self._retries[number] += 1
        _LOGGER.warning("trial %d: %s (attempt %d)", number, reason, self._retries[number])
        if self._retries[number] > MAX_RETRIES:
            folder = self.folder.trial(number)
            outcome = Outcome(
                OutcomeKind.FAILED,
                reason=f"lost {self._retries[number]} workers, the last one: {reason}",
                error_class="WorkerLost",
                log_tail=message.get("log_tail", ""),
            )
            self._conclude_trial(folder, outcome)
            self._ended(proposal, outcome)
        elif not self._catch_up(proposal):
            self._waiting.append(proposal)

    # -- after a crash --------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Take up what earlier processes of this study left: tell what ended, queue what did not."""
        for record in self.study.records():
            number = record.proposal.number
            folder = self.folder.trial(number)
            outcome = record.outcome and (folder.outcome() or record.outcome)  # the folder's tells what it cost, too
            self.trials[number] = TrialRecord(record.proposal, tuple(folder.measurements()), outcome)
        for proposal in self.study.running():
            outcome = self.folder.trial(proposal.number).outcome()
            if outcome is not None:
                self._catch_up(proposal, decide=False)
                self._ended(proposal, outcome)
            elif not self._catch_up(proposal):
                self._waiting.append(proposal)

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
        """Have the data of every branch prepared; facts by branch label. Bad data raises here, before any trial.

        Raises:
            RefusedDataError: a guard refuses what it found.
            DataError: the data cannot be prepared, or is not what the study's trials were made with.
        """
        for branch in self.config.branches:
            job = self._jobs.about_data(branch)
            self.data[branch.label] = self._jobs.call(job, f"preparing data of {branch.label}")
        self._check_same_data()
        findings = collect(self.data)
        write_findings(self.folder, findings)
        refuse(list(findings), self.config.study.name)
        return self.data

    def _check_same_data(self) -> None:
        """Refuse to go on with a study whose data has changed: its trials could not be compared."""
        found = {label: facts["fingerprint"] for label, facts in self.data.items()}
        for label, facts in self.data.items():
            found |= {f"{label}: {key}": fingerprint for key, fingerprint in facts.get("texts", {}).items()}
        if not self.folder.data_file.exists():
            write_json(self.folder.data_file, found)
        elif (known := read_json(self.folder.data_file)) != found and not self.folder.has_trials:
            self.folder.forget_baselines()
            write_json(self.folder.data_file, found)
        elif known != found:
            changed = [label for label in found if known.get(label) != found[label]]
            what = "base model" if all(label.endswith(": model") for label in changed) else "data"
            raise DataError(
                f"the {what} of study {self.config.study.name!r} is not what its trials were made with "
                f"({', '.join(changed)})",
                where=str(self.folder.data_file),
                remedy="Put it back, or give this run a name of its own with study.name=...",
            )

    def measure_baselines(self) -> None:
        """Measure each branch's untouched base on validation, once per study."""
        for branch in self.config.branches:
            folder = self.folder.baseline(branch.label)
            file = folder.path / "baseline.json"
            if not file.exists():
                job = self._jobs.about_branch("baseline", branch)
                write_json(folder.spec_file, job["spec"])
                phase = f"measuring the untouched base of {branch.label}"
                write_json(file, self._jobs.call(job, phase)["validation"])
            self.baseline[branch.label] = read_json(file)
            self._record_baseline(branch)

    def estimate(self, branch: Branch) -> dict[str, Any]:
        """Time a few steps of a branch's configuration as written; see the engine's `estimate` job."""
        return self._jobs.call(self._jobs.about_branch("estimate", branch), f"timing {branch.label}")

    # -- after the search -----------------------------------------------------------------------------------------

    def conclude(self) -> Conclusion:
        """Choose, test once, compare, export and register; see `ftsweep.conclusion`."""
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
            confirmations=self.confirm(),
        )
        return ending.conclude()

    def confirm(self) -> dict[int, list[TrialRecord]]:
        """Run the best trials again with fresh seeds, as `selection` says; their runs by trial number."""
        settings = self.config.selection
        chosen = contenders(self.records, self.config.objective, settings.top) if settings.seeds else []
        return Confirmation(self._jobs).run(chosen, settings.seeds) if chosen else {}

    def _call_for_trial(self, kind: str, phase: str, number: int, extra: Mapping[str, Any]) -> dict[str, Any]:
        return self._jobs.call(self._jobs.about_trial(kind, number, extra), phase)

    # -- small things ---------------------------------------------------------------------------------------------

    @property
    def records(self) -> list[TrialRecord]:
        return [self.trials[number] for number in sorted(self.trials)]

    @property
    def _running(self) -> list[TrialRecord]:
        waiting = {proposal.number for proposal in self._waiting}
        return [record for record in self.trials.values() if record.outcome is None and record.number not in waiting]

    def _may_ask(self) -> bool:
        if self.study.num_asked >= self.config.budget.trials or self.study.is_exhausted():
            return False
        elapsed = self.clock() - self._started
        reason = spent_budget(self.config.budget, self.records, elapsed_seconds=elapsed, folder=self.folder)
        if reason and reason != self.note:
            self.note = reason
            _LOGGER.warning("%s", reason)
        return reason is None

    def _drop_losers(self) -> None:
        """Keep weights only of the best trials so far, each branch's best and the default settings."""
        needed = kept_trials(self.records, self.config.objective, top=self.config.selection.top)
        for record in self.trials.values():
            if record.outcome is not None and record.number not in needed:
                remove(self.folder.trial(record.number).best)

    def _trial_tags(self, branch: Branch) -> dict[str, str]:
        fingerprint = self.data.get(branch.label, {}).get("fingerprint", "")
        return {"branch": branch.label, "data_fingerprint": fingerprint}

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
        )

    def _show(self, phase: str) -> None:
        snapshot = self.snapshot(phase)
        self.watch(replace(snapshot, seconds_left=self._seconds_left(snapshot)))

    def _seconds_left(self, snapshot: Snapshot) -> float | None:
        """By the pace of this process's search."""
        if self._search_started is None:
            return None
        done = snapshot.num_done - self._done_before
        left = max(0.0, snapshot.num_planned - snapshot.num_done)
        return None if done <= 0 else (self.clock() - self._search_started) * left / done
