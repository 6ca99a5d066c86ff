"""What somebody asks of a study, what became of it, and what follows from that for the study and its trials."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ftsweep.domain.trial import Proposal


class RequestKind(StrEnum):
    ENQUEUE = "enqueue"  # try a setting: `branch`, `params`, `given` (as it was typed), `from_trial` or null
    EXTEND = "extend"  # raise the budget: `budget`, by key
    PIN = "pin"  # never prune a trial: `trial`
    UNPIN = "unpin"
    STOP_TRIAL = "stop_trial"
    STOP = "stop"


@dataclass(frozen=True)
class Request:
    """`by` says who asked and from where, `at` when (seconds since 1970)."""

    kind: RequestKind
    by: str
    at: float
    body: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    """Its own among all requests to the study."""

    @property
    def trial(self) -> int | None:
        """The trial that it is about."""
        return None if self.body.get("trial") is None else int(self.body["trial"])

    @property
    def what(self) -> str:
        """What is asked, in a few words."""
        match self.kind:
            case RequestKind.ENQUEUE:
                source = self.body.get("from_trial")
                words = ["enqueue", *self.body["given"], *([] if source is None else [f"(a copy of trial {source})"])]
                return " ".join(map(str, words))
            case RequestKind.EXTEND:
                return "extend " + " ".join(f"budget.{key}={_spelled(value)}" for key, value in self.body_budget)
            case RequestKind.STOP:
                return "stop the study"
        verb = {RequestKind.STOP_TRIAL: "stop"}.get(self.kind, self.kind.value)
        return f"{verb} trial {self.trial}"

    @property
    def body_budget(self) -> list[tuple[str, Any]]:
        """The keys that are to be raised, and to what."""
        return [(str(key), value) for key, value in self.body["budget"].items()]

    @property
    def origin(self) -> str:
        """Who asked, from where and when."""
        return f"{self.by}, {clock_text(self.at)}"

    @property
    def waiting_line(self) -> str:
        """For a list of requests, while it has no answer."""
        return f"{clock_text(self.at)} {self.what}: waits for the study's answer (asked by {self.by})"

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "kind": self.kind.value, "body": dict(self.body)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Request:
        kind, body = RequestKind(data["kind"]), dict(data["body"])
        return cls(kind, str(data["by"]), float(data["at"]), body, str(data["id"]))


@dataclass(frozen=True)
class Answer:
    """What the study said to a request, in a sentence; written down before the study acts on it."""

    request: Request
    text: str
    is_refused: bool = False
    at: float = 0.0
    before: Mapping[str, Any] = field(default_factory=dict)
    """Of a raised budget, what the keys were."""

    @property
    def line(self) -> str:
        """Request and answer for a list of them."""
        verdict = "refused: " if self.is_refused else ""
        return f"{clock_text(self.request.at)} {self.request.what}: {verdict}{self.text} (asked by {self.request.by})"

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "request": self.request.to_dict(), "before": dict(self.before)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Answer:
        refused, before = bool(data["is_refused"]), dict(data["before"])
        return cls(Request.from_dict(data["request"]), str(data["text"]), refused, float(data["at"]), before)


def clock_text(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def pinned_trials(answers: Iterable[Answer]) -> set[int]:
    """The trials that are not to be pruned."""
    pinned: set[int] = set()
    for answer in _granted(answers):
        if answer.request.kind is RequestKind.PIN:
            pinned.add(int(answer.request.body["trial"]))
        elif answer.request.kind is RequestKind.UNPIN:
            pinned.discard(int(answer.request.body["trial"]))
    return pinned


def raised_budget(budget: Mapping[str, Any], answers: Iterable[Answer]) -> dict[str, Any]:
    """The budget of a command, raised as it was when it was this one. Another one is the command's own wish."""
    raised = dict(budget)
    for answer in _granted(answers):
        if answer.request.kind is RequestKind.EXTEND:
            asked = answer.request.body_budget
            raised.update({key: value for key, value in asked if raised.get(key) == answer.before[key]})
    return raised


def enqueued(answers: Iterable[Answer]) -> list[Request]:
    """The settings that were taken into the study's plan, in order; one that was given up later is not among them."""
    found: dict[str, Request] = {}
    for answer in answers:
        if answer.request.kind is RequestKind.ENQUEUE:
            found.pop(answer.request.id, None)
            if not answer.is_refused:
                found[answer.request.id] = answer.request
    return list(found.values())


def about_trial(proposal: Proposal, answers: Sequence[Answer]) -> list[Answer]:
    """What was asked about a trial, refused or not, and the request that enqueued it: no setting is tried twice."""
    own = _identity(proposal.branch, proposal.params) if answers else ""
    wanted = [request.id for request in enqueued(answers) if _identity_of(request) == own]
    return [each for each in answers if each.request.trial == proposal.number or each.request.id in wanted]


def trial_tags(proposal: Proposal, answers: Sequence[Answer]) -> dict[str, str]:
    """Who had a trial tried, kept from pruning or ended, from where and when: `enqueued`, `pinned`, `stopped`."""
    tags = {}
    for answer in _granted(about_trial(proposal, answers)):
        request = answer.request
        if request.kind is RequestKind.ENQUEUE:
            source = request.body.get("from_trial")
            tags["enqueued"] = request.origin + ("" if source is None else f", a copy of trial {source}")
        elif request.kind is RequestKind.STOP_TRIAL:
            tags["stopped"] = request.origin
        else:
            tags["pinned"] = request.origin if request.kind is RequestKind.PIN else f"no more: {request.origin}"
    return tags


def _granted(answers: Iterable[Answer]) -> Iterable[Answer]:
    return (answer for answer in answers if not answer.is_refused)


def _identity(branch: str, params: Mapping[str, Any]) -> str:
    return json.dumps([branch, params], sort_keys=True, default=list)


def _identity_of(request: Request) -> str:
    return _identity(request.body["branch"], request.body["params"])


def _spelled(value: Any) -> str:
    return "null" if value is None else str(value)
