"""What people ask of a study while it searches: answered once and for good, then done.

An answer is on disk before the study acts on it; after a kill what was granted is taken up from the answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ftsweep.config.assigned import check_raised
from ftsweep.config.nodes.enqueued import as_setting, enqueued_params
from ftsweep.config.schema import Budget, SweepConfig
from ftsweep.control.listeners import Recording
from ftsweep.control.stopping import Stopping
from ftsweep.control.trials import Trials
from ftsweep.domain.commands import run_command, spelled, study_command
from ftsweep.domain.decision import Decision, Prune
from ftsweep.domain.request import (
    Answer,
    Request,
    RequestKind,
    enqueued,
    pinned_trials,
    raised_budget,
    trial_tags,
)
from ftsweep.domain.trial import Proposal, TrialRecord
from ftsweep.errors import ConfigError, UsageError
from ftsweep.search.asking import cannot_pin
from ftsweep.search.planned import PlannedSetting
from ftsweep.search.study import Study
from ftsweep.store.inbox import Inbox
from ftsweep.store.requests import STOPPED, Requests

_LOGGER = logging.getLogger(__name__)

Granted = tuple[str, Callable[[], None], Mapping[str, Any]]
"""The answer in words, what to do then, and what a raised budget was before."""


@dataclass
class Heeding:
    """Answers the requests to one study, whose lock this process holds."""

    inbox: Inbox
    requests: Requests
    study: Study
    trials: Trials
    stopping: Stopping
    recording: Recording
    raise_budget: Callable[[Mapping[str, Any]], None]
    """Puts a larger budget into force, by key."""
    answers: list[Answer] = field(default_factory=list)
    to_stop: dict[int, Request] = field(default_factory=dict)
    """Trials that were told to end, by number."""
    _unreadable: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.answers = self.inbox.answers()
        self.recording.asked = self.tags

    def recover(self) -> None:
        """Take up what earlier processes of this study granted; before trials are taken up."""
        self.study.pinned = pinned_trials(self.answers)
        for record in self.study.records():
            if record.proposal.number in self.study.pinned:
                self.study.release(record.proposal.number)
        for request in enqueued(self.answers):
            try:
                self.study.plan.add(self._setting(request))
            except ConfigError as error:
                self._say(Answer(request, f"the space has changed since: {error}", is_refused=True))

    def heed(self, tell: Callable[[int, Decision], None]) -> None:
        """Answer whatever was asked since; `tell` has a running trial know its decision."""
        self._end_trials(tell)
        for request in self._pending():
            try:
                text, act, before = self._granted(request)
            except UsageError as error:
                self._say(Answer(request, str(error), is_refused=True))
                continue
            self._say(Answer(request, text, before=before))
            act()

    def wakes(self, records: Sequence[TrialRecord]) -> bool:
        """Whether a paused trial is pinned, or is to be, so that it goes on though the search was over."""
        pinned = pinned_trials(self.answers)
        asked = {request.trial for request in self._pending() if request.kind is RequestKind.PIN}
        return any(record.pause is not None and record.number in pinned | asked for record in records)

    def refuse(self) -> list[Answer]:
        """Refuse whatever was asked, for the search is over; the answers."""
        refused = [Answer(request, self._too_late(request), is_refused=True) for request in self._pending()]
        for answer in refused:
            self._say(answer)
        return refused

    def tags(self, proposal: Proposal) -> dict[str, str]:
        """What a trial's tags say of requests about it."""
        tags = trial_tags(proposal, self.answers) if self.answers else {}
        if proposal.number in self.to_stop:
            tags["stopped"] = self.to_stop[proposal.number].origin
        return tags

    # -- answering ------------------------------------------------------------------------------------------------

    def _pending(self) -> list[Request]:
        """What has no answer yet. A file is left behind by a kill between the answer and its removal."""
        pending, unreadable = self.inbox.look()
        for path in unreadable:
            if path not in self._unreadable:
                self._unreadable.add(path)
                _LOGGER.warning("%s holds no request: it is passed over", path)
        known = {answer.request.id for answer in self.answers} if pending else set()
        for request in pending:
            if request.id in known:
                self.inbox.settle(request)
        return [request for request in pending if request.id not in known]

    def _say(self, answer: Answer) -> None:
        answer = replace(answer, at=time.time())
        self.inbox.answer(answer)
        self.answers.append(answer)
        verdict = "refused" if answer.is_refused else "granted"
        request = answer.request
        _LOGGER.info("%s: %s, asked by %s: %s", verdict, request.what, request.origin, answer.text)

    def _granted(self, request: Request) -> Granted:
        """What to say and to do.

        Raises:
            UsageError: it is refused, and why.
        """
        match request.kind:
            case RequestKind.ENQUEUE:
                return self._enqueue(request)
            case RequestKind.EXTEND:
                return self._extend(dict(request.body["budget"]))
            case RequestKind.PIN | RequestKind.UNPIN:
                return self._pin(int(request.body["trial"]), is_pinned=request.kind is RequestKind.PIN)
        raise UsageError(f"nobody asks for {request.kind.value} this way")

    # -- settings -------------------------------------------------------------------------------------------------

    def _enqueue(self, request: Request) -> Granted:
        setting, plan = self._setting(request), self.study.plan
        number = plan.number_of(setting.branch, setting.params)
        if number is not None:
            raise UsageError(f"trial {number} has this setting already; none is tried twice")
        if setting in plan:
            raise UsageError("this setting is planned already")
        num_trials = self.stopping.config.budget.trials
        if self.study.num_asked + len(plan) >= num_trials:
            more = self._command("extend", f"budget.trials={num_trials + 1}")
            taken = f"{self.study.num_asked} were begun and {len(plan)} are planned"
            raise UsageError(
                f"no budget is left: of {num_trials} trials {taken}", remedy=f"Raise it, then ask again: `{more}`"
            )
        if (halt := self.stopping.halt(self.trials.records)) is not None:
            raise UsageError(f"no new trial begins: {halt.text}")
        text = f"it is tried after {len(plan)} that are planned already" if len(plan) else "it is tried next"
        return text, partial(plan.add, setting), {}

    def _setting(self, request: Request) -> PlannedSetting:
        """The setting that is asked for, as it lies in the space of now; ConfigError where it does not."""
        body = request.body
        setting = as_setting(str(body["branch"]), body["params"])
        return PlannedSetting(*enqueued_params(list(self.trials.branches.values()), setting, where="enqueue"))

    # -- budget ---------------------------------------------------------------------------------------------------

    def _extend(self, asked: dict[str, Any]) -> Granted:
        now = asdict(self.stopping.config.budget)
        check_raised(asked, now)
        if (why := self.study.is_exhausted()) is not None:
            raise UsageError(why)
        changes = [f"budget.{key}={spelled(value)} (was {spelled(now[key])})" for key, value in asked.items()]
        return f"now {', '.join(changes)}", partial(self.raise_budget, asked), {key: now[key] for key in asked}

    # -- trials ---------------------------------------------------------------------------------------------------

    def _pin(self, number: int, *, is_pinned: bool) -> Granted:
        record = self.trials.by_number.get(number)
        if record is None:
            raise UsageError(f"there is no trial {number}")
        if why := cannot_pin(record, is_pinned=is_pinned, pinned=self.study.pinned):
            raise UsageError(why)
        text = "it is not pruned, whatever the pruner says" if is_pinned else "it may be pruned again"
        return text, partial(self._set_pin, record, is_pinned), {}

    def _set_pin(self, record: TrialRecord, is_pinned: bool) -> None:
        if is_pinned:
            self.study.pinned.add(record.number)
            self.trials.release(record.number)
        else:
            self.study.pinned.discard(record.number)
        self.recording.tag_again(record)

    def _end_trials(self, tell: Callable[[int, Decision], None]) -> None:
        """End the trials that are asked to: resting ones now, running ones at their next step."""
        for number in self.requests.trials():
            record = self.trials.by_number.get(number)
            if record is None or record.outcome is not None:
                self._settle_stop(number, record)
                continue
            is_new = number not in self.to_stop
            if is_new:
                request = self.to_stop[number] = self.requests.of_trial(number)
                _LOGGER.info("trial %d is asked to end by %s", number, request.origin)
            if number in self.trials.paused or record.proposal in self.trials.waiting:
                self.trials.prune(record, STOPPED)
            elif is_new:
                tell(number, Prune(STOPPED))

    def _settle_stop(self, number: int, record: TrialRecord | None) -> None:
        request = self.requests.of_trial(number)
        if record is None or record.outcome is None:
            self._say(Answer(request, "there is no such trial", is_refused=True))
        elif not any(answer.request.id == request.id for answer in self.answers):
            self._say(Answer(request, f"it has ended: {record.outcome.kind}, {record.outcome.reason}"))
        self.requests.settle(number)

    # -- after the search -----------------------------------------------------------------------------------------

    def _too_late(self, request: Request) -> str:
        over = "The search is over"
        config, folder = self.stopping.config, self.inbox.folder
        if request.kind is RequestKind.EXTEND:
            words = [f"budget.{key}={spelled(value)}" for key, value in request.budget]
        elif request.kind is RequestKind.ENQUEUE:
            words = [f"budget.trials={max(config.budget.trials, self.study.num_asked) + 1}"]
        elif request.kind is RequestKind.PIN and self._is_paused(request.trial):
            words = []
        else:
            return f"{over}: nothing is pruned any more."
        name, begun_with = config.sweep_file or folder.name, config.overrides
        run = run_command(name, folder.name, *words, store=folder.store.name, begun_with=begun_with)
        if request.kind is RequestKind.PIN:
            return f"{over}. When the study has ended, ask again, and have the trial go on: `{run}`"
        again = " and ask again" if request.kind is RequestKind.ENQUEUE else ""
        return f"{over}. When the study has ended, go on with it{again}: `{run}`"

    def _is_paused(self, number: int | None) -> bool:
        return any(record.number == number and record.pause is not None for record in self.trials.records)

    def _command(self, verb: str, *words: str) -> str:
        folder = self.inbox.folder
        return study_command(verb, folder.name, *words, store=folder.store.name)


def with_raised_budget(config: SweepConfig, answers: list[Answer]) -> SweepConfig:
    """The sweep with its budget as it was raised while it was this one."""
    return replace(config, budget=Budget(**raised_budget(asdict(config.budget), answers)))


def raised_text(before: Budget, after: Budget) -> str:
    """That the budget is not the command's; "" where it is."""
    old, new = asdict(before), asdict(after)
    words = [f"budget.{key}={spelled(new[key])}" for key in new if new[key] != old[key]]
    return f"{', '.join(words)}: raised while the study ran with the budget of this command." if words else ""
