"""The page of a study that runs: written anew at every tenth ending, by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ftsweep.control.listeners import Listener
from ftsweep.domain.trial import TrialRecord
from ftsweep.store.folders import StudyFolder

EVERY = 10
_END_SECONDS = 5.0
_CODE = """
import sys
from pathlib import Path
from ftsweep.report.writing import write_study_report
from ftsweep.store.folders import Store
write_study_report(Store(Path(sys.argv[1])).study(sys.argv[2]))
"""


@dataclass
class LiveReport(Listener):
    """Trials wait for nothing here, and a page that cannot be written now is written at the end.

    From a hundred endings on a page is due when a tenth more have ended: it takes the longer, the more there are.
    """

    folder: StudyFolder
    _num_ended: int = 0
    _next: int = EVERY
    _writer: subprocess.Popen[bytes] | None = None

    def recovered(self, records: Sequence[TrialRecord]) -> None:
        self._num_ended = sum(record.outcome is not None for record in records)
        self._next = self._num_ended + self._step()

    def ended(self, record: TrialRecord) -> None:
        self._num_ended += 1
        is_writing = self._writer is not None and self._writer.poll() is None
        if self._num_ended >= self._next and not is_writing:
            self._next = self._num_ended + self._step()
            self._begin()

    def close(self) -> None:
        """No page of an earlier moment is written from now on."""
        if self._writer is not None and self._writer.poll() is None:
            self._writer.terminate()
            try:
                self._writer.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._writer.kill()
                self._writer.wait()

    def _step(self) -> int:
        return max(EVERY, self._num_ended // EVERY)

    def _begin(self) -> None:
        command = [sys.executable, "-c", _CODE, str(self.folder.store.root), self.folder.name]
        nowhere = subprocess.DEVNULL
        try:
            self._writer = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
        except OSError:  # no process or no memory to be had: the trials need them more
            self._writer = None
