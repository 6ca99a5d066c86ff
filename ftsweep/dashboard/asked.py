"""What was asked of a study, from wherever, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from dash import html

from ftsweep.dashboard.trial_reader import stamp_of
from ftsweep.domain.request import Answer, Request, is_about_trial
from ftsweep.domain.trial import Proposal
from ftsweep.errors import FtsweepError
from ftsweep.store.folders import StudyFolder
from ftsweep.store.inbox import Inbox
from ftsweep.store.requests import Requests, pending_requests

_MOST_SHOWN = 50


@dataclass(frozen=True)
class Asked:
    """Requests to a study at one moment."""

    answers: tuple[Answer, ...] = ()
    pending: tuple[Request, ...] = ()
    trouble: str = ""

    def of_trial(self, proposal: Proposal) -> Asked:
        """Those about one trial."""
        answers = tuple(answer for answer in self.answers if is_about_trial(answer.request, proposal))
        pending = tuple(request for request in self.pending if is_about_trial(request, proposal))
        return Asked(answers, pending, self.trouble)


def read_asked(folder: StudyFolder) -> Asked:
    """As the study's folder has it; it may go at any time."""
    try:
        return Asked(tuple(Inbox(folder).answers()), tuple(pending_requests(folder)))
    except (FtsweepError, OSError) as error:
        return Asked(trouble=f"The requests cannot be read: {error}")


def asked_stamp(folder: StudyFolder) -> str:
    """Another one when anything has changed; it opens no file."""
    return f"{stamp_of(Inbox(folder).answers_file)} {stamp_of(Requests(folder).path)}"


def asked_part(asked: Asked) -> list[html.H2 | html.Ul]:
    """A list of them, the newest first."""
    lines = [html.Li(request.waiting_line) for request in reversed(asked.pending)]
    lines += [
        html.Li(answer.line, className="severe" if answer.is_refused else "")
        for answer in reversed(asked.answers[-_MOST_SHOWN:])
    ]
    if asked.trouble:
        lines.append(html.Li(asked.trouble, className="severe"))
    return [html.H2("Requests"), html.Ul(lines, className="findings")] if lines else []
