"""What somebody asks of a study, what became of it, and what follows from that for the study and its trials."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ftsweep.domain.commands import spelled
from ftsweep.domain.trial import Proposal


class RequestKind(StrEnum):
    ENQUEUE = "enqueue"  # try a setting: `branch`, `params`, `given` (as it was typed), `from_trial` or null
    EXTEND = "extend"  # raise the budget: `budget`, by key
    PIN = "pin"  # never prune a trial: `trial`
    UNPIN = "unpin"
    STOP_TRIAL = "stop_trial"
    STOP = "stop"


_BODIES: Mapping[RequestKind, Mapping[str, Any]] = {
    RequestKind.ENQUEUE: {"branch": str, "params": dict, "given": list, "from_trial": int | None},
    RequestKind.EXTEND: {"budget": dict},
    RequestKind.PIN: {"trial": int},
    RequestKind.UNPIN: {"trial": int},
    RequestKind.STOP_TRIAL: {"trial": int},
    RequestKind.STOP: {},
}


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
                return "extend " + " ".join(f"budget.{key}={spelled(value)}" for key, value in self.budget)
            case RequestKind.STOP:
                return "stop the study"
        verb = {RequestKind.STOP_TRIAL: "stop"}.get(self.kind, self.kind.value)
        return f"{verb} trial {self.trial}"

    @property
    def budget(self) -> list[tuple[str, Any]]:
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
        for key, wanted in _BODIES[kind].items():
            if not isinstance(body.get(key), wanted):
                raise TypeError(f"{kind.value} has no {key}")
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
            asked = answer.request.budget
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


def is_about_trial(request: Request, proposal: Proposal) -> bool:
    """Whether a request names the trial, is for a copy of it, or is what enqueued it: no setting is tried twice."""
    named = (request.trial, request.body.get("from_trial"))
    return proposal.number in named or _has_enqueued(request, proposal)


def trial_tags(proposal: Proposal, answers: Sequence[Answer]) -> dict[str, str]:
    """Who had a trial tried, kept from pruning or ended, from where and when: `enqueued`, `pinned`, `stopped`."""
    tags = {}
    for answer in _granted(answers):
        request = answer.request
        if _has_enqueued(request, proposal):
            source = request.body.get("from_trial")
            tags["enqueued"] = request.origin + ("" if source is None else f", a copy of trial {source}")
        elif request.trial == proposal.number:
            texts = {
                RequestKind.PIN: ("pinned", request.origin),
                RequestKind.UNPIN: ("pinned", f"no more: {request.origin}"),
                RequestKind.STOP_TRIAL: ("stopped", request.origin),
            }
            name, text = texts[request.kind]
            tags[name] = text
    return tags


def _granted(answers: Iterable[Answer]) -> Iterable[Answer]:
    return (answer for answer in answers if not answer.is_refused)


def _plain(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True, default=list)


def _has_enqueued(request: Request, proposal: Proposal) -> bool:
    if request.kind is not RequestKind.ENQUEUE or request.body["branch"] != proposal.branch:
        return False
    return _plain(request.body["params"]) == _plain(proposal.params)
