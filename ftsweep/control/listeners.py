"""Who hears of trials beginning, measuring and ending: the judge of fits and the record. See `retention`, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftsweep.analysis.forgetting import forgetting_tags
from ftsweep.analysis.model_card import trial_description
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import Proposal, TrialRecord
from ftsweep.recording.base import Recorder, baseline_ending
from ftsweep.verdicts.live import Verdicts


class Listener:
    """Hears of trials once they wait for nothing any more. This one does nothing with it.

    Records are those of now: a trial that has just measured has the measurement as its last.
    """

    def recovered(self, records: Sequence[TrialRecord]) -> None:
        """The trials of earlier processes, before anything else is heard."""

    def began(self, record: TrialRecord) -> None:
        """A trial was given to a worker, for the first time or to go on."""

    def measured(self, record: TrialRecord) -> None:
        """A rung was measured."""

    def paused(self, record: TrialRecord) -> None:
        """A trial waits until its pruner resumes it, or still does, and there is more to be said of it."""

    def ended(self, record: TrialRecord) -> None:
        """A trial has its outcome."""


@dataclass
class Judging(Listener):
    """Has every trial judged by how well it fits."""

    verdicts: Verdicts

    def recovered(self, records: Sequence[TrialRecord]) -> None:
        self.verdicts.recover(records)

    def measured(self, record: TrialRecord) -> None:
        self.verdicts.judge(record)

    def ended(self, record: TrialRecord) -> None:
        self.verdicts.judge(record)


@dataclass
class Recording(Listener):
    """Keeps the record: every rung and every ending once, and a trial's tags again when its verdict has changed.

    It hears after the judge, so that the tags have the verdict of now.
    """

    recorder: Recorder
    objective: Objective
    branches: Mapping[str, Branch]
    data: Mapping[str, Mapping[str, Any]]
    """Facts of the prepared sets by branch label; may be filled in later."""
    verdicts: Verdicts
    asked: Callable[[Proposal], Mapping[str, str]] = lambda proposal: {}
    """Tags about requests, of a trial."""
    _last_rung: dict[int, int] = field(default_factory=dict)
    """Of each trial, the last rung that was recorded."""
    _verdict: dict[int, str] = field(default_factory=dict)
    """Of each trial under way, the verdict that was recorded."""

    def recovered(self, records: Sequence[TrialRecord]) -> None:
        self._last_rung = {
            each.number: each.measurements[-1].rung for each in records if each.outcome and each.measurements
        }

    def began(self, record: TrialRecord) -> None:
        self._begin(record)
        self._send_measurements(record)

    def measured(self, record: TrialRecord) -> None:
        self._send_measurements(record)
        if self._verdict_of(record.number) != self._verdict.get(record.number, ""):
            self._begin(record)

    def paused(self, record: TrialRecord) -> None:
        self._send_measurements(record)
        self._pause(record)

    def ended(self, record: TrialRecord) -> None:
        self._send_measurements(record)
        self._verdict.pop(record.number, None)
        self.record_end(record)

    def record_end(self, record: TrialRecord) -> None:
        """The ending as it is to be known now; once more when something else is said of the trial."""
        assert record.outcome is not None
        best = self.objective.best(record.measurements)
        values = best.values if best else {}
        extra = record.outcome.extra
        told = {"description": trial_description(record, self.verdicts.found.get(record.number, ()))}
        told |= {f"ftsweep.{key}": str(extra[key]) for key in ("shared_steps", "alone") if key in extra}
        self.recorder.end_trial(record.proposal, record.outcome, best=values, tags=self._tags(record) | told)

    def tag_again(self, record: TrialRecord) -> None:
        """Something else is to be said of a trial that goes on, or is paused."""
        self._begin(record)
        self._pause(record)

    def record_baseline(self, branch: Branch, metrics: Mapping[str, float]) -> None:
        """What the untouched base of a branch scores on validation, by metric."""
        proposal, tags = Proposal(-1, branch.name, {}), self._branch_tags(branch)
        outcome, values = baseline_ending(metrics)
        self.recorder.begin_trial(proposal, tags=tags, params={})
        self.recorder.end_trial(proposal, outcome, best=values, tags=tags)

    def _begin(self, record: TrialRecord) -> None:
        self._verdict[record.number] = self._verdict_of(record.number)
        self.recorder.begin_trial(record.proposal, tags=self._tags(record), params=record.proposal.params)

    def _pause(self, record: TrialRecord) -> None:
        if record.pause is not None:
            self.recorder.pause_trial(record.proposal, record.pause)

    def _send_measurements(self, record: TrialRecord) -> None:
        last = self._last_rung.get(record.number, -1)
        fresh = [measurement for measurement in record.measurements if measurement.rung > last]
        if fresh:
            self._last_rung[record.number] = fresh[-1].rung
            self.recorder.measure_all(record.proposal, fresh)

    def _verdict_of(self, number: int) -> str:
        return self.verdicts.tags(number).get("verdict", "")

    def _tags(self, record: TrialRecord) -> dict[str, str]:
        branch = self.branches[record.proposal.branch]
        forgotten = forgetting_tags(record.measurements, self.objective)
        told = self.verdicts.tags(record.number) | forgotten | dict(self.asked(record.proposal))
        return self._branch_tags(branch) | told

    def _branch_tags(self, branch: Branch) -> dict[str, str]:
        fingerprint = self.data.get(branch.label, {}).get("fingerprint", "")
        return {"branch": branch.label, "data_fingerprint": fingerprint}
