"""Requests that a study or a trial ends: files in the study's folder, which its loop reads. For others see `inbox`.

The one door for whoever wants that: `ftsweep stop`, and a dashboard. What came of it stands with the other answers.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from ftsweep.domain.request import Answer, Request, RequestKind
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import StudyError, StudyLockedError, UsageError, suggest
from ftsweep.store.atomic import read_json, remove, remove_folder, understood, write_json
from ftsweep.store.folders import StudyFolder
from ftsweep.store.inbox import Inbox, asker

STOPPED = "stopped by the user"
"""The reason of a trial that ended by request."""

_MEANS = "ftsweep stop"

_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 60.0
"""After this long without an end the process that runs the study does not heed: it hangs, or lies under a debugger."""

_TRIAL_FILE = re.compile(r"trial-(\d+)\.json")


@dataclass(frozen=True)
class Requests:
    """The requests to one study. Asking twice is asking once."""

    folder: StudyFolder

    @property
    def path(self) -> Path:
        return self.folder.path / "requests"

    def ask_to_stop(self, owner: str, *, by: str = "") -> None:
        """Ask the process of this name (`StudyFolder.owner`) to checkpoint and end; a later one is not meant."""
        write_json(self._stop_file, {"owner": owner, "by": by or asker(_MEANS), "at": time.time()})

    def stop_of(self, owner: str) -> Request | None:
        """The request that the process of this name ends; None when nobody asked for that."""
        try:
            asked = read_json(self._stop_file)
        except FileNotFoundError:
            return None
        with understood(self._stop_file):
            at = float(asked["at"])
            request = Request(RequestKind.STOP, str(asked["by"]), at, id=f"stop-{at}")
            return request if asked["owner"] == owner else None

    def heed_stop(self, request: Request) -> None:
        """The process that was asked ends: the answer is kept, and the request is settled."""
        Inbox(self.folder).answer(Answer(request, "it ends now; its trials checkpoint", at=time.time()))
        self.settle_stop()

    def ask_to_stop_trial(self, number: int, *, by: str = "") -> None:
        """Ask for the end of one trial; the request stands until the trial has ended."""
        write_json(self._trial_file(number), {"trial": number, "by": by or asker(_MEANS), "at": time.time()})

    def of_trial(self, number: int) -> Request:
        """The request that this trial ends, which must be one of `trials`."""
        path, body = self._trial_file(number), {"trial": number}
        asked = read_json(path)
        with understood(path):
            at = float(asked["at"])
            return Request(RequestKind.STOP_TRIAL, str(asked["by"]), at, body, id=f"stop-{number}-{at}")

    def trials(self) -> list[int]:
        """The trials that are asked to end."""
        if not self.path.is_dir():
            return []
        found = (_TRIAL_FILE.fullmatch(path.name) for path in self.path.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def settle(self, number: int) -> None:
        """The trial has ended."""
        remove(self._trial_file(number))

    def settle_stop(self) -> None:
        """The process that was asked ends."""
        remove(self._stop_file)

    @property
    def _stop_file(self) -> Path:
        return self.path / "stop.json"

    def _trial_file(self, number: int) -> Path:
        return self.path / f"trial-{number:04d}.json"


def ask_to_stop(folder: StudyFolder, *, by: str = "") -> str:
    """Ask the process that runs the study to checkpoint and end; returns its name. "": nobody runs it."""
    owner = _owner(folder)
    if owner:
        Requests(folder).ask_to_stop(owner, by=by)
    return owner


def wait_until_stopped(folder: StudyFolder, owner: str, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait until the process that was asked has ended.

    Raises:
        StudyError: it does not end.
    """
    deadline = time.monotonic() + patience_seconds
    while folder.is_running and _owner(folder) == owner:
        if time.monotonic() > deadline:
            raise StudyError(
                f"study {folder.name!r} still runs {patience_seconds:g} s after it was asked to stop",
                where=str(folder.control_log),
                remedy=f"The request stands. To end it now, kill {owner}; the same `ftsweep run` goes on.",
            )
        time.sleep(_POLL_SECONDS)
    Requests(folder).settle_stop()


def ask_to_stop_trial(folder: StudyFolder, number: int, *, by: str = "") -> None:
    """Ask for the end of one trial, as pruned: of a running one at its next step, of a waiting one at once.

    Raises:
        UsageError: there is no such trial, or it has ended.
    """
    known = {record.number: record for record in folder.records()}
    if number not in known:
        remedy = suggest(str(number), [str(each) for each in known])
        raise UsageError(f"study {folder.name!r} has no trial {number}", remedy=remedy)
    outcome = known[number].outcome
    if outcome is not None:
        why = f"trial {number} has ended already: {outcome.kind}, {outcome.reason}"
        raise UsageError(why, where=f"study {folder.name}")
    Requests(folder).ask_to_stop_trial(number, by=by)


def end_at_rest(folder: StudyFolder, number: int) -> bool:
    """End a trial that was asked for, where nobody runs the study; whether that was so."""
    try:
        with folder.locked():
            if number in Requests(folder).trials():  # else the study has heeded it just now
                _end_trial(folder, number)
    except StudyLockedError:
        return False
    return True


def pending_requests(folder: StudyFolder) -> list[Request]:
    """Whatever was asked and not answered yet, in the order of asking."""
    requests = Requests(folder)
    stop = requests.stop_of(folder.owner)
    ends = [requests.of_trial(number) for number in requests.trials()]
    return sorted([*Inbox(folder).pending(), *ends, *([stop] if stop else [])], key=lambda request: request.at)


def wait_until_trial_ended(folder: StudyFolder, number: int) -> Outcome:
    """Wait for the end of a trial that was asked for; where nobody runs the study it is ended here."""
    trial = folder.trial(number)
    while (outcome := trial.outcome()) is None:
        if not end_at_rest(folder, number):
            time.sleep(_POLL_SECONDS)
    return outcome


def _end_trial(folder: StudyFolder, number: int) -> None:
    """End a trial of a study that nobody runs; the next run has Optuna and MLflow know of it."""
    trial, requests = folder.trial(number), Requests(folder)
    outcome = trial.outcome()
    if outcome is None:
        remove_folder(trial.checkpoint)
        measured = trial.measurements()
        outcome = Outcome(OutcomeKind.PRUNED, STOPPED, rung=measured[-1].rung if measured else None)
        trial.write_outcome(outcome)
    text = f"it has ended: {outcome.kind}, {outcome.reason}"
    Inbox(folder).answer(Answer(requests.of_trial(number), text, at=time.time()))
    requests.settle(number)


def _owner(folder: StudyFolder) -> str:
    """The process that runs the study; "" when none does."""
    while folder.is_running:
        if owner := folder.owner:
            return owner
        time.sleep(_POLL_SECONDS)  # it has locked the file and not signed it yet
    return ""
