"""Requests to a study that it answers: a file each until then, a line with the answer from then on.

The line is what counts. It is written before the study acts on it, so that a kill neither loses a request nor has it
done twice.
"""

from __future__ import annotations

import getpass
import secrets
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ftsweep.domain.request import Answer, Request
from ftsweep.errors import DamagedFileError
from ftsweep.store.atomic import append_line, read_json, read_lines, remove, understood, write_json
from ftsweep.store.folders import StudyFolder

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Inbox:
    """Of one study. Anybody may put a request in; only who holds the study's lock answers."""

    folder: StudyFolder

    @property
    def answers_file(self) -> Path:
        return self.folder.path / "requests.jsonl"

    def put(self, request: Request) -> Request:
        """Leave a request, which gets its identity here."""
        kept = replace(request, id=f"{time.time_ns()}-{secrets.token_hex(3)}")
        write_json(self._file(kept), kept.to_dict())
        return kept

    def pending(self) -> list[Request]:
        """What was not answered yet, in the order of asking."""
        return self.look()[0]

    def look(self) -> tuple[list[Request], list[Path]]:
        """What is pending, and the files that hold no request."""
        found = [(path, _read(path)) for path in sorted((self.folder.path / "requests").glob("ask-*.json"))]
        return [request for _, request in found if request], [path for path, request in found if request is None]

    def answers(self) -> list[Answer]:
        """Every answer so far, in order."""
        with understood(self.answers_file):
            return [Answer.from_dict(line) for line in read_lines(self.answers_file)]

    def answer(self, answer: Answer) -> None:
        """Write the answer down for good; the request is no longer pending."""
        append_line(self.answers_file, answer.to_dict())
        self.settle(answer.request)

    def settle(self, request: Request) -> None:
        """The request is answered already."""
        remove(self._file(request))

    def wait(self, request: Request, seconds: float) -> Answer | None:
        """The answer as soon as it is there; None where the study ends before it, or takes longer."""
        deadline = time.monotonic() + seconds
        while True:
            is_last = not self.folder.is_running or time.monotonic() > deadline
            found = next((each for each in reversed(self.answers()) if each.request.id == request.id), None)
            if found is not None or is_last:
                return found
            time.sleep(_POLL_SECONDS)

    def _file(self, request: Request) -> Path:
        return self.folder.path / "requests" / f"ask-{request.id}.json"


def asker(means: str) -> str:
    """Who asks, from where and by what: `anna on gpu-box with ftsweep pin`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        user = "somebody"
    return f"{user} on {socket.gethostname()} with {means}"


def _read(path: Path) -> Request | None:
    try:
        with understood(path):
            return Request.from_dict(read_json(path))
    except (FileNotFoundError, DamagedFileError):
        return None
