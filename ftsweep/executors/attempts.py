"""Whether a job that lost its worker, or met a fault of the machine, is tried again; and what it comes to if not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import StudyError

MAX_RETRIES = 3  # of one job whose worker was lost
MAX_NODE_LOSSES = 5  # of one job in a row, without a rung between them: a node says nothing of the job that it had
MAX_MEMORY_RETRIES = 1  # of one whose worker the kernel ended for want of memory: it may have been another's fault
PLACE_REMEDY = (
    "Free some space or mend the folder's permissions, and give the same command again: it goes on where it stood, and "
    "nothing was counted as failed."
)
MEND_REMEDY = "Mend it and run the same command again; add --debug for the traceback."
MAX_SAME_ERROR = 3  # trials that fail in one and the same way before the study stops


def reason_of(message: Mapping[str, Any]) -> str:
    """What was lost, in words."""
    return str(message.get("reason") or message.get("message") or "its worker was lost")


@dataclass
class Attempts:
    """Counts by job what this process lost. Every attempt goes on from the job's last checkpoint."""

    _lost: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def after(self, message: Mapping[str, Any]) -> Outcome | None:
        """None to try the job again; otherwise how it ends.

        Raises:
            StudyError: nothing can be written where the job lies. It has not ended: a later process continues it.
        """
        lost, reason = self._lost[str(message["job"])], reason_of(message)
        kind = str(message.get("kind", ""))
        if kind == "cluster":  # it is waited for, and no job is to blame
            return None
        if kind == "node":
            lost[kind] = 0 if message.get("has_progress") else lost[kind]
        lost[kind] += 1
        if kind == "node" and lost[kind] <= MAX_NODE_LOSSES:
            return None
        if kind == "memory" and lost[kind] > MAX_MEMORY_RETRIES:
            return Outcome(OutcomeKind.INFEASIBLE, f"the machine ran out of memory {lost[kind]} times: {reason}")
        if kind != "node" and lost.total() - lost["node"] <= MAX_RETRIES:
            return None
        if kind == "place":
            raise place_error(reason, str(message.get("where") or ""))
        return Outcome(
            OutcomeKind.FAILED,
            reason=f"lost {lost.total()} workers, the last one: {reason}",
            error_class="WorkerLost",
            log_tail=message.get("log_tail") or message.get("traceback") or "",
        )


def place_error(reason: str, where: str | None = None) -> StudyError:
    """The disk is full, or a folder may not be written."""
    return StudyError(
        f"files cannot be written or read: {reason}",
        where=where or None,
        remedy=PLACE_REMEDY,
    )


@dataclass
class SameErrors:
    """Stops a study in which several trials fail in the same way: the next ones would, too."""

    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, error_class: str, message: str, where: str | None, log: str) -> None:
        """One more trial has failed: of which error, at which place if that is known, and where its log is.

        Raises:
            StudyError: it is one too many.
        """
        key = (error_class, "" if error_class == "WorkerLost" else where or message)
        self._counts[key] += 1
        if self._counts[key] >= MAX_SAME_ERROR:
            raise StudyError(
                f"{MAX_SAME_ERROR} trials failed with the same error, {error_class}: {message}",
                where=where or log,
                remedy=MEND_REMEDY,
            )
