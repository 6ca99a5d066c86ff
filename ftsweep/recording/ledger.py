"""What a study has sent so far and where to, in `recording.json`: saves sending it again, and may be lost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.store.atomic import read_json, write_json

# A ledger that lags behind only means that a trial is sent twice, which changes nothing.
_SAVE_SECONDS = 2.0
_SAVE_SHARE = 0.005  # of the time: a long study's ledger is long


@dataclass
class Cursor:
    """How much of one run has arrived."""

    run_id: str
    rung: int = -1  # the last rung that was sent
    has_ended: bool = False


@dataclass
class Ledger:
    path: Path
    place: str  # the tracking URI
    study_id: str = ""  # "" until the study has a place; keeps the runs of a re-made study of the same name apart
    runs: dict[str, Cursor] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)  # name to content hash
    links: dict[str, str] = field(default_factory=dict)
    is_finished: bool = False  # the end of a finished study arrived, so all of it has
    _next_save: float = field(default=0.0, repr=False)

    @classmethod
    def read(cls, path: Path, place: str) -> Ledger:
        """The ledger on disk; an empty one when it is lost, and one without cursors when it is about another place."""
        try:
            data: dict[str, Any] = read_json(path)
            ledger = cls(path, place, data["study_id"])
            if data["place"] == place:
                ledger.runs = {name: Cursor(**cursor) for name, cursor in data["runs"].items()}
                ledger.artifacts, ledger.links = dict(data["artifacts"]), dict(data["links"])
                ledger.is_finished = bool(data["is_finished"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls(path, place)
        return ledger

    def save(self) -> None:
        began = time.monotonic()
        cursors = {name: asdict(cursor) for name, cursor in self.runs.items()}
        kept = {name: getattr(self, name) for name in ("place", "study_id", "artifacts", "links", "is_finished")}
        write_json(self.path, {**kept, "runs": cursors})
        ended = time.monotonic()
        self._next_save = ended + max(_SAVE_SECONDS, (ended - began) / _SAVE_SHARE)

    def save_soon(self) -> None:
        """Save, unless that was done a moment ago."""
        if time.monotonic() > self._next_save:
            self.save()
