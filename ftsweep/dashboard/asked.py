"""What was asked of studies from this dashboard, and what became of it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ftsweep.dashboard.looks import Looks
from ftsweep.errors import FtsweepError, UsageError
from ftsweep.store.folders import StudyFolder
from ftsweep.store.requests import ask_to_stop, ask_to_stop_trial, wait_until_stopped, wait_until_trial_ended

_MAX_KEPT = 50


@dataclass(frozen=True)
class Asked:
    """One request: what, when (seconds since 1970), and the answer; "" while it is awaited."""

    study: str
    what: str
    at: float
    answer: str = ""
    is_refused: bool = False

    @property
    def text(self) -> str:
        when = time.strftime("%H:%M:%S", time.localtime(self.at))
        return f"{when} {self.what}: {self.answer or 'asked, waiting for the study'}"


@dataclass
class AskedList:
    """The requests of this dashboard, the newest last. Each is waited for in a thread of its own."""

    looks: Looks
    version: int = 1
    _kept: list[Asked] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of_study(self, name: str) -> list[Asked]:
        with self._lock:
            return [asked for asked in self._kept if asked.study == name]

    def stop_study(self, name: str) -> Asked:
        """Ask the process that runs the study to end; its trials checkpoint."""
        folder = self._folder(name)
        owner = ask_to_stop(folder, by=_who())
        if not owner:
            return self._keep(Asked(name, "stop the study", time.time(), "refused: it is not running", True))

        def wait() -> str:
            wait_until_stopped(folder, owner)
            return "stopped; the same `ftsweep run` goes on"

        return self._await(Asked(name, "stop the study", time.time()), wait)

    def stop_trial(self, name: str, number: int) -> Asked:
        """Ask for the end of one trial, as pruned."""
        folder, asked = self._folder(name), Asked(name, f"stop trial {number}", time.time())
        try:
            ask_to_stop_trial(folder, number, by=_who())
        except FtsweepError as error:
            return self._keep(replace(asked, answer=f"refused: {error}", is_refused=True))

        def wait() -> str:
            outcome = wait_until_trial_ended(folder, number)
            return f"ended: {outcome.kind}, {outcome.reason}"

        return self._await(asked, wait)

    def _folder(self, name: str) -> StudyFolder:
        folder = self.looks.folder(name)
        if not folder.sweep_file.exists():
            raise UsageError(f"there is no study {name!r}", where=str(self.looks.store.root))
        return folder

    def _keep(self, asked: Asked, instead_of: Asked | None = None) -> Asked:
        with self._lock:
            self._kept = [*(each for each in self._kept if each is not instead_of), asked][-_MAX_KEPT:]
            self.version += 1
        return asked

    def _await(self, asked: Asked, wait: Callable[[], str]) -> Asked:
        self._keep(asked)

        def settle() -> None:
            try:
                answer = replace(asked, answer=wait())
            except (FtsweepError, OSError) as error:
                answer = replace(asked, answer=str(error), is_refused=True)
            self._keep(answer, instead_of=asked)

        threading.Thread(target=settle, daemon=True, name="asked").start()
        return asked


def _who() -> str:
    return f"a dashboard (process {os.getpid()} on {socket.gethostname()})"
