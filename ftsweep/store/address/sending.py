"""Sends what has changed in a study's folder to its address: contents first, then the index that names them.

What is there is not sent twice, wherever it lies in the folder: an object's name is the hash of its content. Objects
that neither of the last two indexes names are removed, after both are there.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ftsweep.store.address.capture import DATABASE, Captured, Look, capture, copy_database
from ftsweep.store.address.filling import note_sending
from ftsweep.store.address.index import Content, Index, index_name, index_terms, study_prefix
from ftsweep.store.address.objects import Objects
from ftsweep.store.address.ownership import Ownership
from ftsweep.store.atomic import read_json, remove
from ftsweep.store.folders import StudyFolder

_LOGGER = logging.getLogger(__name__)

_AT_ONCE = 8
"""Requests under way at a time."""

DATABASE_SECONDS = 60.0
"""Between two copies of the database: what it lacks is put back from the folders."""

_AT_THE_END = frozenset({"report.html"})
"""Large, and made from the other files: not while it changes with every trial."""

_LEDGER = "recording.json"


@dataclass
class Sender:
    """Of one study, in its owner's process. One thread at a time may send."""

    folder: StudyFolder
    objects: Objects
    ownership: Ownership
    index: Index
    """What is at the address."""
    num_sent: int = 0
    bytes_sent: int = 0
    seconds: list[float] = field(default_factory=list)
    """How long each round that sent anything took."""
    _known: dict[str, Look] = field(default_factory=dict)
    _contents: dict[str, Content] = field(default_factory=dict)
    _database: Content | None = None
    _database_due: float = 0.0
    _there: set[str] | None = None
    _is_owed: bool = False
    _waiting: tuple[int, int] = (0, 0)
    _count: threading.Lock = field(default_factory=threading.Lock)

    @property
    def behind(self) -> tuple[int, int]:
        """How many contents the last round has found that are not there yet, and their bytes."""
        return self._waiting

    def send(self, *, is_last: bool = False) -> bool:
        """Bring the address to the folder's state of this moment; whether there was anything to send.

        Raises:
            StoreAwayError, StoreRefusedError: the same may be tried again.
            LostOwnershipError: the study has another owner.
            UnquietError: the folder did not stand still.
        """
        began = time.monotonic()
        aside = self.folder.store.root / "sending" / self.folder.name
        try:
            database = self._copied_database(aside.with_name(f"{self.folder.name}.{DATABASE}"), is_last=is_last)
            left_out = self._left_out(is_last=is_last)
            looks, new = capture(self.folder.path, self._known, aside, left_out)
            has_news = looks.keys() != self._known.keys() or any(is_last or not path.endswith(".log") for path in new)
            if not (has_news or self._is_owed) and database is None and self.index.term == self.ownership.term:
                return False
            self._is_owed = True  # what was removed is seen once
            self._take_up(looks, new)
            self._send_files(new, database)
            self._is_owed = False
        finally:
            remove(aside)
            remove(aside.with_name(f"{self.folder.name}.{DATABASE}"))
        self.seconds.append(time.monotonic() - began)
        return True

    def check(self) -> None:
        """Look whether all is there that the index names; what is missing is sent with the next round."""
        self._there = None
        missing = self.index.objects - self._objects_there()
        if missing:
            self._known = {path: look for path, look in self._known.items() if not self._is_in(path, missing)}
            self._database, self._database_due = None, 0.0

    # -- what there is --------------------------------------------------------------------------------------------

    def _copied_database(self, target: Path, *, is_last: bool) -> Path | None:
        """Before the files are looked at, so that it never tells of more than they do."""
        if not is_last and time.monotonic() < self._database_due:
            return None
        try:
            copied = copy_database(self.folder, target)
        except sqlite3.Error as error:  # its trials are put back from the folders
            _LOGGER.warning("the database is not sent this time: %s", error)
            copied = None
        if copied is None or self._database is None:
            return copied
        if _hash(copied, copied.stat().st_size) != self._database.object:
            return copied
        self._database_due = time.monotonic() + DATABASE_SECONDS
        return None

    def _left_out(self, *, is_last: bool) -> frozenset[str]:
        """A ledger of the machine's own MLflow database is of no use to another machine: the record is made anew."""
        ledger = self.folder.path / _LEDGER
        try:
            is_own = str(read_json(ledger)["place"]).startswith("mlflow.db")
        except (OSError, ValueError, KeyError, TypeError):
            is_own = True
        return frozenset({_LEDGER} if is_own else ()) | (frozenset() if is_last else _AT_THE_END)

    def _take_up(self, looks: dict[str, Look], new: dict[str, Captured]) -> None:
        for path in self._known.keys() - looks.keys():
            self._contents.pop(path, None)
        for path, each in new.items():
            self._contents[path] = Content(
                _hash(each.path, each.look.size), each.look.size, each.look.modified_ns / 1e9
            )
        self._known = {path: look for path, look in looks.items() if path not in new}  # new ones once they are there

    def _is_in(self, path: str, objects: set[str]) -> bool:
        return path in self._contents and self._contents[path].object in objects

    # -- what is sent ---------------------------------------------------------------------------------------------

    def _send_files(self, new: dict[str, Captured], database: Path | None) -> None:
        there, kept = self._objects_there(), self._database
        wanted = {self._contents[path].object: each for path, each in new.items()}
        if database is not None:
            size = database.stat().st_size
            kept = Content(_hash(database, size), size, time.time())
            wanted[kept.object] = Captured(database, Look(0, size, 0))
        missing = {name: each for name, each in wanted.items() if name not in there}
        self._waiting = (len(missing), sum(each.look.size for each in missing.values()))
        self.ownership.ensure()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="ftsweep-send") as pool:
            for _ in pool.map(self._send_one, missing.items()):
                pass
        files = self._contents if kept is None else {**self._contents, DATABASE: kept}
        self._send_index(Index(self.ownership.term, self.index.number + 1, dict(files)))
        self._known.update({path: each.look for path, each in new.items()})
        self._database, self._waiting = kept, (0, 0)
        if database is not None:
            self._database_due = time.monotonic() + DATABASE_SECONDS

    def _send_one(self, item: tuple[str, Captured]) -> None:
        name, each = item
        self.ownership.ensure()
        self.objects.send(self._object(name), each.path, each.look.size)
        with self._count:
            self._objects_there().add(name)
            self.num_sent += 1
            self.bytes_sent += each.look.size
            self._waiting = (self._waiting[0] - 1, self._waiting[1] - each.look.size)

    def _send_index(self, index: Index) -> None:
        self.ownership.ensure()
        note_sending(self.folder, index.identity)
        self.objects.put(index_name(self.folder.name, index.term), index.to_bytes())
        former, self.index = self.index, index
        note_sending(self.folder, index.identity, has_arrived=True)
        if former.term != index.term:
            terms = [term for term in index_terms(self.objects, self.folder.name) if term < index.term]
            self.objects.delete(index_name(self.folder.name, term) for term in terms)
        self._remove_old(index.objects, former.objects)

    def _remove_old(self, now: set[str], before: set[str]) -> None:
        old = self._objects_there() - now - before
        self._delete(old)

    def _delete(self, names: Iterable[str]) -> None:
        for name in names:
            self.ownership.ensure()
            self.objects.delete([self._object(name)])
            self._objects_there().discard(name)

    def _objects_there(self) -> set[str]:
        if self._there is None:
            self._there = set(self.objects.names(f"{study_prefix(self.folder.name)}objects/"))
        return self._there

    def _object(self, name: str) -> str:
        return f"{study_prefix(self.folder.name)}objects/{name}"


def _hash(path: Path, size: int) -> str:
    """SHA-256 of the first `size` bytes."""
    digest, left = hashlib.sha256(), size
    with open(path, "rb") as file:
        while left > 0 and (part := file.read(min(left, 1 << 20))):
            digest.update(part)
            left -= len(part)
    return digest.hexdigest()
