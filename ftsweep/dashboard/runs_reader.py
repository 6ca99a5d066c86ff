"""The run folders that lie in one folder (trials, or runs with fresh seeds), looked at again and again."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field

from ftsweep.dashboard.trial_reader import TrialReader

_NAME = re.compile(r"(\d+)(?:-(\d+))?")
_SURE_NS = 2_000_000_000
"""A folder that changed within this time may have changed again without a new time of change."""


@dataclass
class RunsReader:
    """Not for several threads at once, but for `num_read` and `num_found`, which tell how far a look has come."""

    path: str
    num_read: int = 0
    num_found: int = 0
    others: tuple[str, ...] = ()
    """Names in the folder that are none of a run's."""
    _readers: dict[str, tuple[int, TrialReader]] = field(default_factory=dict)
    """By folder name: the folder's identity and its reader."""
    _ordered: list[TrialReader] = field(default_factory=list)
    """By number and seed, as the folders' names have them."""
    _unsettled: list[TrialReader] = field(default_factory=list)
    _changed: int = -1
    """When the folder changed last; -1 when it has to be looked through."""

    @property
    def readers(self) -> list[TrialReader]:
        """Of the runs that were begun, in the order of their names."""
        return [reader for reader in self._ordered if reader.record is not None]

    def look(self) -> bool:
        """Read what is new; whether anything was, be it a run that is gone."""
        has_news = self._look_through()
        self.num_found = len(self._readers)
        self.num_read = self.num_found - len(self._unsettled)
        for reader in self._unsettled:
            has_news |= reader.look()
            self.num_read += 1
        self._unsettled = [reader for reader in self._unsettled if not reader.is_settled]
        return has_news

    def doubt(self) -> None:
        """Have every file looked at again."""
        self._changed = -1
        self._unsettled = [reader for _, reader in self._readers.values()]
        for reader in self._unsettled:
            reader.is_settled = False

    def _look_through(self) -> bool:
        """Find new folders, and those that are gone or others now; whether any is gone."""
        try:
            changed = os.stat(self.path).st_mtime_ns  # noqa: PTH116
            if changed == self._changed:
                return False
            with os.scandir(self.path) as entries:
                found = {entry.name: entry.inode() for entry in entries if not entry.name.startswith(".")}
        except FileNotFoundError:  # nothing was begun yet
            changed, found = -1, {}
        self._changed = changed if time.time_ns() - changed > _SURE_NS else -1
        gone = [name for name, (inode, _) in self._readers.items() if found.get(name) != inode]
        for name in gone:
            del self._readers[name]
        others = []
        for name, inode in found.items():
            if name in self._readers:
                continue
            if matched := _NAME.fullmatch(name):
                reader = TrialReader(f"{self.path}/{name}", int(matched[1]), int(matched[2] or 0))
                self._readers[name] = (inode, reader)
            else:
                others.append(name)
        self.others = tuple(sorted(others))
        readers = [reader for _, reader in self._readers.values()]
        self._ordered = sorted(readers, key=lambda reader: (reader.number, reader.seed))
        self._unsettled = [reader for reader in readers if not reader.is_settled]
        return bool(gone)
