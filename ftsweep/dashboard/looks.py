"""The studies of a store as pages see them: read together for however many pages are open."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from ftsweep.dashboard.study_reader import StudyReader
from ftsweep.errors import FtsweepError, UsageError
from ftsweep.report.overview import StudyOverview
from ftsweep.store.folders import Store, StudyFolder

_FRESH_SECONDS = 0.4
"""So long a look serves all pages that ask."""


@dataclass(frozen=True)
class Look:
    """A study at one moment. `overview` is what was last read of it, None when nothing could be read yet."""

    name: str
    version: int = 0
    overview: StudyOverview | None = None
    trouble: str = ""
    """Why it cannot be read now; "" when it can."""

    @property
    def mark(self) -> str:
        """Changes whenever a page should be drawn anew."""
        return f"{self.version}:{self.trouble}"


@dataclass
class Looks:
    """Looks at the studies of a store, for several threads."""

    store: Store
    _readers: dict[str, tuple[threading.Lock, StudyReader]] = field(default_factory=dict)
    _last: dict[str, tuple[float, Look]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def folder(self, name: str) -> StudyFolder:
        """The folder of a study; a name that is none of a study's is refused, so no path leaves the store.

        Raises:
            UsageError: it cannot be a study's name.
        """
        return self.store.study(name)

    def names(self) -> list[str]:
        """The studies that are in the store now."""
        return [folder.name for folder in self.store.studies()]

    def all(self) -> list[Look]:
        """A look at every study of the store."""
        return [self.at(name) for name in self.names()]

    def at(self, name: str) -> Look:
        """A look at one study. What it cannot read it says in `trouble`, with what it read before."""
        folder = self.folder(name)
        if name not in self._readers and not folder.sweep_file.exists():  # whoever asks for names makes nothing grow
            return _gone(folder, Look(name))
        with self._lock:
            lock, reader = self._readers.setdefault(name, (threading.Lock(), StudyReader(folder)))
        with lock:
            when, last = self._last.get(name, (0.0, Look(name)))
            if time.monotonic() - when < _FRESH_SECONDS:
                return last
            look = _look(reader, last)
            self._last[name] = (time.monotonic(), look)
            return look


def _look(reader: StudyReader, last: Look) -> Look:
    name = reader.folder.name
    try:
        reader.look()
        return Look(name, reader.version, reader.overview())
    except FileNotFoundError:
        return _gone(reader.folder, last)
    except (FtsweepError, OSError) as error:
        trouble = f"The study cannot be read: {error}"
    return Look(name, last.version, last.overview, trouble)


def _gone(folder: StudyFolder, last: Look) -> Look:
    gone = f"There is no study {last.name!r} in {folder.path.parent} now: it was moved or removed."
    trouble = gone if last.overview is None else f"{gone} What was last read of it is shown."
    return Look(last.name, last.version, last.overview, trouble)


def is_study_name(looks: Looks, name: str) -> bool:
    """Whether a study may have this name."""
    try:
        looks.folder(name)
    except UsageError:
        return False
    return True
