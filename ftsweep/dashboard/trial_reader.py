"""One trial's folder, read again only where it has grown."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import Outcome, Proposal, StoredPause, TrialRecord
from ftsweep.domain.verdict import Verdict
from ftsweep.errors import DamagedFileError
from ftsweep.store.atomic import read_new_lines, understood

Stamp = tuple[int, int, int]
"""Identity, size and time of change of a file: another one means other content."""

_JUDGED_SECONDS = 60.0
"""So long after a trial's end its verdicts, which are written behind it, are still looked for."""


def stamp_of(path: Path | str) -> Stamp | None:
    """None where there is no such file."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass
class TrialReader:
    """A trial as its folder tells it. Once it has ended and been judged, no file of it is looked at again.

    Paths are strings here: of 10,000 trials making paths was a third of the first read.
    """

    folder: str
    number: int = 0
    """As its name has it."""
    seed: int = 0
    """Of its run; 0 is the search's own."""
    record: TrialRecord | None = None
    """None before the trial's spec is there."""
    verdicts: tuple[Verdict, ...] = ()
    _offset: int = 0
    _by_rung: dict[int, Measurement] = field(default_factory=dict)
    _fit: Stamp | None = None
    _pause_file: tuple[Stamp | None, StoredPause | None] = (None, None)
    _file: int = 0
    """The identity of the file of measurements."""

    is_settled: bool = False
    """Whether nothing of it is expected to change any more. Set it to false to have its files looked at again."""

    def look(self) -> bool:
        """Read what is new; whether anything was."""
        if self.is_settled:
            return False
        if self.record is None:
            path = f"{self.folder}/spec.json"
            spec = _read(path)
            if spec is None:
                return False
            try:
                told = int(spec["number"]), str(spec["branch"]), dict(spec["params"]), bool(spec["is_default"])
            except (KeyError, TypeError, ValueError) as error:
                raise DamagedFileError(Path(path), f"{type(error).__name__}: {error}") from error
            self.record = TrialRecord(Proposal(*told, self.seed))
            self._look_inside()
            return True
        return self._look_inside()

    def _look_inside(self) -> bool:
        assert self.record is not None
        outcome = self.record.outcome or self._outcome()  # before the measurements: with it they are whole
        has_measured, has_fit = self._read_measurements(), self._read_fit()
        pause = self._last_pause() if outcome is None else None
        is_new = has_measured or (outcome, pause) != (self.record.outcome, self.record.last_pause)
        if is_new:
            measured = tuple(self._by_rung[rung] for rung in sorted(self._by_rung))
            self.record = TrialRecord(self.record.proposal, measured, outcome, pause)
        if outcome is not None:
            ended = stamp_of(f"{self.folder}/outcome.json")
            self.is_settled = ended is not None and time.time() - ended[2] / 1e9 > _JUDGED_SECONDS
        return is_new or has_fit

    def _outcome(self) -> Outcome | None:
        path = f"{self.folder}/outcome.json"
        found = _read(path)
        if found is None:
            return None
        with understood(Path(path)):
            return Outcome.from_dict(found)

    def _last_pause(self) -> StoredPause | None:
        path = f"{self.folder}/pause.json"
        stamp = stamp_of(path)
        if stamp != self._pause_file[0]:
            found = _read(path)
            with understood(Path(path)):
                self._pause_file = stamp, None if found is None else StoredPause(**found)
        return self._pause_file[1]

    def _read_measurements(self) -> bool:
        path = f"{self.folder}/measurements.jsonl"
        stamp = stamp_of(path)
        if stamp is None:
            return False
        if stamp[0] != self._file or stamp[1] < self._offset:  # another file: the trial was begun anew
            self._file, self._offset = stamp[0], 0
            self._by_rung.clear()
        if stamp[1] == self._offset:
            return False
        lines, self._offset = read_new_lines(path, self._offset)
        try:
            for line in lines:
                measurement = Measurement.from_dict(line)
                self._by_rung.setdefault(measurement.rung, measurement)
        except TypeError as error:
            raise DamagedFileError(Path(path), f"TypeError: {error}") from error
        return bool(lines)

    def _read_fit(self) -> bool:
        path = f"{self.folder}/fit.json"
        stamp = stamp_of(path)
        if stamp is None or stamp == self._fit:
            return False
        self._fit, before = stamp, self.verdicts
        try:
            self.verdicts = tuple(map(Verdict.from_dict, (_read(path) or {})["verdicts"]))
        except (DamagedFileError, ValueError, KeyError, TypeError):  # a verdict is made again, it is not state
            self.verdicts = ()
        return self.verdicts != before


def _read(path: str) -> Any:
    """A JSON file's content; None where there is no such file."""
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read()
    except FileNotFoundError:
        return None
    try:
        return json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(Path(path), str(error)) from error
