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

    def after(self, message: Message) -> Outcome | None:
        """Note that a worker was lost, or met a fault of the machine; None to try the job again, else how it ends.

        Raises:
            StudyError: nothing can be written where the job lies. It has not ended: a later process continues it.
        """
        reason = reason_of(message)
        self.folder.note_lost(str(message["job"]), str(message.get("worker", "")), reason)
        self._told.append(f"{message['job']}: {reason}")
        return self._attempts.after(message)

    @property
    def text(self) -> str:
        """All of them in one sentence; "" while there are none."""
        if not self._told:
            return ""
        count = len(self._told)
        return f"{count} worker{'s were' if count > 1 else ' was'} lost, the last over {self._told[-1].rstrip('.')}."
