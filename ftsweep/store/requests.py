"""What `ftsweep stop` asks of the process that runs a study: files in the study's folder, which its loop reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ftsweep.store.atomic import read_json, remove, write_json
from ftsweep.store.folders import StudyFolder

STOPPED = "stopped by the user"
"""The reason of a trial that ended by request."""

_TRIAL_FILE = re.compile(r"trial-(\d+)\.json")


@dataclass(frozen=True)
class Requests:
    """The requests to one study. Asking twice is asking once."""

    folder: StudyFolder

    @property
    def path(self) -> Path:
        return self.folder.path / "requests"

    def ask_to_stop(self, owner: str) -> None:
        """Ask the process of this name (`StudyFolder.owner`) to checkpoint and end; a later one is not meant."""
        write_json(self._stop_file, {"owner": owner})

    def is_asked_to_stop(self, owner: str) -> bool:
        """Whether the process of this name is asked to end."""
        try:
            return bool(read_json(self._stop_file)["owner"] == owner)
        except FileNotFoundError:
            return False

    def ask_to_stop_trial(self, number: int) -> None:
        """Ask for the end of one trial; the request stands until the trial has ended."""
        write_json(self._trial_file(number), {"trial": number})

    def trials(self) -> list[int]:
        """The trials that are asked to end."""
        if not self.path.is_dir():
            return []
        found = (_TRIAL_FILE.fullmatch(path.name) for path in self.path.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def settle(self, number: int) -> None:
        """The trial has ended."""
        remove(self._trial_file(number))

    def settle_stop(self) -> None:
        """The process that was asked ends."""
        remove(self._stop_file)

    @property
    def _stop_file(self) -> Path:
        return self.path / "stop.json"

    def _trial_file(self, number: int) -> Path:
        return self.path / f"trial-{number:04d}.json"
