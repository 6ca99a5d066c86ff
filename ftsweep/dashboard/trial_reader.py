"""One trial's folder, read again only where it has grown."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Proposal, TrialRecord
from ftsweep.domain.verdict import Verdict
from ftsweep.store.atomic import read_new_lines, understood
from ftsweep.store.folders import TrialFolder

Stamp = tuple[int, int, int]
"""Identity, size and time of change of a file: another one means other content."""

_JUDGED_SECONDS = 60.0
"""So long after a trial's end its verdicts, which are written behind it, are still looked for."""


def stamp_of(path: Path) -> Stamp | None:
    """None where there is no such file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass
class TrialReader:
    """A trial as its folder tells it. Once it has ended and been judged, no file of it is looked at again."""

    folder: TrialFolder
    record: TrialRecord | None = None
    """None before the trial's spec is there."""
    verdicts: tuple[Verdict, ...] = ()
    _offset: int = 0
    _by_rung: dict[int, Measurement] = field(default_factory=dict)
    _fit: Stamp | None = None
    _file: int = 0
    """The identity of the file of measurements."""

    is_settled: bool = False
    """Whether nothing of it is expected to change any more. Set it to false to have its files looked at again."""

    def look(self) -> bool:
        """Read what is new; whether anything was."""
        if self.is_settled:
            return False
        if self.record is None:
            if not self.folder.spec_file.exists():
                return False
            spec = self.folder.spec()
            self.record = TrialRecord(Proposal(spec["number"], spec["branch"], spec["params"], spec["is_default"]))
            self._look_inside()
            return True
        return self._look_inside()

    def _look_inside(self) -> bool:
        assert self.record is not None
        outcome = self.record.outcome or self.folder.outcome()  # before the measurements: with it they are whole
        has_measured, has_fit = self._read_measurements(), self._read_fit()
        is_new = has_measured or outcome != self.record.outcome
        if is_new:
            measured = tuple(self._by_rung[rung] for rung in sorted(self._by_rung))
            self.record = TrialRecord(self.record.proposal, measured, outcome)
        if outcome is not None:
            self.is_settled = time.time() - self.folder.outcome_file.stat().st_mtime > _JUDGED_SECONDS
        return is_new or has_fit

    def _read_measurements(self) -> bool:
        stamp = stamp_of(self.folder.measurements_file)
        if stamp is None:
            return False
        if stamp[0] != self._file or stamp[1] < self._offset:  # another file: the trial was begun anew
            self._file, self._offset = stamp[0], 0
            self._by_rung.clear()
        if stamp[1] == self._offset:
            return False
        lines, self._offset = read_new_lines(self.folder.measurements_file, self._offset)
        with understood(self.folder.measurements_file):
            for line in lines:
                measurement = Measurement.from_dict(line)
                self._by_rung.setdefault(measurement.rung, measurement)
        return bool(lines)

    def _read_fit(self) -> bool:
        stamp = stamp_of(self.folder.fit_file)
        if stamp is None or stamp == self._fit:
            return False
        self._fit, before = stamp, self.verdicts
        self.verdicts = self.folder.verdicts()
        return self.verdicts != before
