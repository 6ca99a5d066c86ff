"""The studies of a store as pages see them: read together for however many pages are open."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ftsweep.dashboard.study_reader import StudyReader
from ftsweep.errors import FtsweepError, UsageError
from ftsweep.report.overview import StudyOverview
from ftsweep.store.folders import Store, StudyFolder

_FRESH_SECONDS, _LONGEST_SECONDS = 0.4, 1.5
"""So long a look serves all pages that ask; one that took long does for longer."""
_RESTS = 10
"""So many times as long as the last look took: pages that draw what it found take several times as long as it did."""
_PATIENCE_SECONDS = 0.3
"""A page waits so long for a first read, then shows how far it has come."""


@dataclass(frozen=True)
class Look:
    """A study at one moment. `overview` is what was last read of it, None when nothing could be read yet."""

    name: str
    version: int = 0
    overview: StudyOverview | None = None
    trouble: str = ""
    """Why it cannot be read now; "" when it can."""
    progress: str = ""
    """How far the first read has come, while it goes on."""
    _kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """What was made of this look before, by name, or is made now: ten pages have it made once."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    @property
    def mark(self) -> str:
        """Changes whenever a page should be drawn anew."""
        return f"{self.version}:{self.trouble}"


@dataclass
class _Watched:
    """A study that is looked at."""

    reader: StudyReader
    look: Look
    lock: threading.Lock = field(default_factory=threading.Lock)
    until: float = 0.0
    """Until then the last look serves."""
    first: threading.Thread | None = None
    """Reads it for the first time."""


@dataclass
class Looks:
    """Looks at the studies of a store, for several threads."""

    store: Store
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _first_read: threading.Lock = field(default_factory=threading.Lock)
    """First reads wait for one another: each takes a core."""

    def folder(self, name: str) -> StudyFolder:
        """The folder of a study; a name that is none of a study's is refused, so no path leaves the store.

        Raises:
            UsageError: it cannot be a study's name.
        """
        return self.store.study(name)

    def names(self) -> list[str]:
        """The studies that are in the store now; of a store that is gone those that were read."""
        return sorted(self._watched) if self.trouble else [folder.name for folder in self.store.studies()]

    @property
    def trouble(self) -> str:
        """That the store is gone; "" while it is there."""
        if self.store.root.is_dir():
            return ""
        return f"There is no store {self.store.name} now: it was moved or removed. What was last read of it is shown."

    def all(self) -> list[Look]:
        """A look at every study of the store."""
        return [self.at(name, is_patient=False) for name in self.names()]

    def at(self, name: str, *, is_patient: bool = True) -> Look:
        """A look at one study. What it cannot read it says in `trouble`, with what it read before.

        A first read goes on beside; after a moment, or without patience at once, the look says how far it has come.
        """
        folder = self.folder(name)
        if name not in self._watched and not folder.sweep_file.exists():  # whoever asks for names makes nothing grow
            return _gone(folder, Look(name))
        with self._lock:
            watched = self._watched.setdefault(name, _Watched(StudyReader(folder), Look(name)))
            if watched.first is None:
                watched.first = threading.Thread(target=self._read_first, args=(watched,), daemon=True)
                watched.first.start()
        if watched.first.is_alive():
            watched.first.join(_PATIENCE_SECONDS if is_patient else 0.0)
        if watched.first.is_alive():
            return Look(name, progress=_progress(watched.reader))
        with watched.lock:
            _look_again(watched)
            return watched.look

    def _read_first(self, watched: _Watched) -> None:
        with self._first_read, watched.lock:
            gc.disable()  # it would go through everything that was read, again and again
            try:
                _look_again(watched)
            finally:
                gc.enable()
                gc.freeze()


def _look_again(watched: _Watched) -> None:
    if time.monotonic() < watched.until:
        return
    began = time.thread_time()
    watched.look = _look(watched.reader, watched.look)
    rest = _RESTS * (time.thread_time() - began)
    watched.until = time.monotonic() + min(_LONGEST_SECONDS, max(_FRESH_SECONDS, rest))


def _progress(reader: StudyReader) -> str:
    read, found = reader.trials.num_read, reader.trials.num_found
    return f"reading its trials: {read:,} of {found:,}" if found else "waiting to be read"


def _look(reader: StudyReader, last: Look) -> Look:
    name = reader.folder.name
    try:
        reader.look()
        is_same = last.overview is not None and (last.version, last.trouble) == (reader.version, "")
        return last if is_same else Look(name, reader.version, reader.overview())
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
