"""What this process lost workers over, and whether a job that lost its worker is tried again."""

from __future__ import annotations

from dataclasses import dataclass, field

from ftsweep.domain.trial import Outcome
from ftsweep.executors.attempts import Attempts, reason_of
from ftsweep.executors.base import Message
from ftsweep.store.folders import StudyFolder


@dataclass
class LostWorkers:
    """Of one process: written down in the study's folder for whoever asks for its status later."""

    folder: StudyFolder
    _attempts: Attempts = field(default_factory=Attempts)
    _told: list[str] = field(default_factory=list)
    _of_place: list[str] = field(default_factory=list)

    def after(self, message: Message) -> Outcome | None:
        """Note that a worker was lost, or met a fault of the machine; None to try the job again, else how it ends.

        Raises:
            StudyError: nothing can be written where the job lies. It has not ended: a later process continues it.
        """
        reason = reason_of(message)
        if message.get("kind") == "place":  # the worker lives on; and to write of a full disk there would fail, too
            self._of_place.append(f"{message['job']}: {reason}")
        else:
            self.folder.note_lost(str(message["job"]), str(message.get("worker", "")), reason)
            self._told.append(f"{message['job']}: {reason}")
        return self._attempts.after(message)

    @property
    def text(self) -> str:
        """All of them in one or two sentences; "" while there are none."""
        lost, failed = len(self._told), len(self._of_place)
        said = []
        if lost:
            said.append(f"{lost} worker{'s were' if lost > 1 else ' was'} lost, the last over {self._told[-1]}")
        if failed:
            jobs = f"{failed} attempts" if failed > 1 else "1 attempt"
            said.append(f"{jobs} could not write or read files, the last of {self._of_place[-1]}")
        return " ".join(f"{each.rstrip('.')}." for each in said)
