"""What the dashboard's pages ask of studies: through the same doors as the command line, with the same checks."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ftsweep.dashboard.looks import Looks
from ftsweep.domain.request import Request
from ftsweep.errors import FtsweepError, UsageError
from ftsweep.search.asking import ask_to_enqueue, ask_to_extend, ask_to_pin
from ftsweep.store.address.place import address_of
from ftsweep.store.folders import StudyFolder
from ftsweep.store.requests import ask_to_stop, ask_to_stop_trial, end_at_rest


@dataclass(frozen=True)
class Told:
    """What a page is told at once; the study's answer comes with the list of requests."""

    text: str
    is_refused: bool = False


@dataclass(frozen=True)
class Acting:
    """Asks in the name of a page at the address `client`."""

    looks: Looks
    client: str

    def stop_study(self, name: str) -> Told:
        """Ask the process that runs the study to end; its trials checkpoint."""
        owner = ask_to_stop(self._folder(name), by=self._who)
        return Told(f"asked {owner} to stop") if owner else Told("refused: the study is not running", True)

    def stop_trial(self, name: str, number: int) -> Told:
        """Ask for the end of one trial, as pruned; of a study that nobody runs it is ended here."""
        folder = self._folder(name)

        def ask() -> str:
            ask_to_stop_trial(folder, number, by=self._who)
            return (
                f"trial {number} has ended" if end_at_rest(folder, number) else f"asked for the end of trial {number}"
            )

        return _told(ask)

    def enqueue(self, name: str, words: Sequence[str], from_trial: int | None) -> Told:
        """Ask for a trial of a setting, over that of another trial."""
        folder = self._folder(name)
        return _told(lambda: self._asked(folder, ask_to_enqueue(folder, words, from_trial=from_trial, by=self._who)))

    def extend(self, name: str, words: Sequence[str]) -> Told:
        """Ask for a larger budget."""
        folder = self._folder(name)
        return _told(lambda: self._asked(folder, ask_to_extend(folder, words, by=self._who)))

    def pin(self, name: str, number: int, *, is_pinned: bool) -> Told:
        """Ask that a trial is not pruned, or may be again."""
        folder = self._folder(name)
        return _told(lambda: self._asked(folder, ask_to_pin(folder, number, by=self._who, is_pinned=is_pinned)))

    def _asked(self, folder: StudyFolder, request: Request) -> str:
        later = "" if folder.is_running else "; the study is not running, it answers when it goes on"
        return f"asked: {request.what}{later}"

    def _folder(self, name: str) -> StudyFolder:
        folder = self.looks.folder(name)
        if not folder.sweep_file.exists():
            raise UsageError(f"there is no study {name!r}", where=str(self.looks.store.root))
        if address_of(folder.store) is not None and not folder.is_running:  # what is asked here would stay here
            what = f"study {name!r} lies at {folder.store.name} and is not run by this machine"
            raise UsageError(what, remedy="Ask with the command, as `ftsweep enqueue` or `ftsweep stop`.")
        return folder

    @property
    def _who(self) -> str:
        return f"{self.client} with a dashboard (process {os.getpid()} on {socket.gethostname()})"


def _told(ask: Callable[[], str]) -> Told:
    try:
        return Told(ask())
    except FtsweepError as error:
        return Told(f"refused: {error}", True)
