"""A fuse in a process: at its n-th event it dies by SIGKILL, before the event, after it, or in the middle of a write.

Events are what other processes or a later one could see: files opened for writing, renamed and removed, folders made
and removed, fsyncs, commits of a database, and messages and lines being written.
"""

from __future__ import annotations

import builtins
import json
import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

_AUDITED = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
_NOTED_EVENTS = 20


@dataclass(frozen=True)
class Fuse:
    """When a process dies, of itself."""

    kind: str
    """`event`: at the n-th event; `torn`: in the n-th write; `limit`: the kernel ends it at byte n of a file's write;
    `never`: it only counts."""
    number: int
    share: float = 0.5
    """Of a torn write's bytes that are still written."""


class _Armed:
    def __init__(self, fuse: Fuse, who: str, note: Path) -> None:
        self.fuse, self.who, self.note = fuse, who, note
        self.num_events = self.num_writes = 0
        self.lock = threading.RLock()
        self.write, self.fsync, self.open = os.write, os.fsync, builtins.open
        self.is_dying = False
        self.pid = os.getpid()
        self.note_counts: Callable[[], None] = lambda: None

    def event(self, what: str) -> None:
        if self.is_dying or os.getpid() != self.pid:  # a fork of this process has a fuse of its own, or none
            return
        with self.lock:
            self.num_events += 1
            if self.fuse.kind == "event" and self.num_events == self.fuse.number:
                self.die(what)
            if self.fuse.kind == "never" and self.num_events % _NOTED_EVENTS == 0:
                self.is_dying = True  # what is written here is no event
                self.note_counts()
                self.is_dying = False

    def is_torn(self) -> bool:
        if os.getpid() != self.pid:
            return False
        with self.lock:
            self.num_writes += 1
            return self.fuse.kind == "torn" and self.num_writes == self.fuse.number

    def die(self, what: str) -> NoReturn:
        self.is_dying = True
        line = json.dumps({"who": self.who, "kind": self.fuse.kind, "at": what, "number": self.fuse.number}) + "\n"
        handle = os.open(self.note, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.write(handle, line.encode())
        os.kill(os.getpid(), signal.SIGKILL)
        raise SystemExit  # not reached

    def audit(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name in _AUDITED:
            self.event(name)
        elif name == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            self.event("open")

    def os_write(self, handle: int, data: Any) -> int:
        self.event("write")
        if self.is_torn():
            self.write(handle, bytes(data)[: int(len(data) * self.fuse.share)])
            self.die("a message or line")
        return self.write(handle, data)

    def os_fsync(self, handle: int) -> None:
        self.event("fsync")
        self.fsync(handle)
        self.event("after fsync")

    def opened(self, path: Any, mode: str = "r", **options: Any) -> Any:
        file = self.open(path, mode, **options)
        return _TornFile(file, self) if set(mode) & set("wax+") else file


class _TornFile:
    """A file whose writes may stop in the middle."""

    def __init__(self, file: Any, armed: _Armed) -> None:
        self._file, self._armed = file, armed

    def __enter__(self) -> _TornFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any) -> int:
        if self._armed.is_torn():
            self._file.write(data[: int(len(data) * self._armed.fuse.share)])
            self._file.flush()
            name = re.sub(r"^\.(.*)\.\d+\.tmp$", r"\1", Path(self._file.name).name)
            self._armed.die(f"a write to {name}")
        return int(self._file.write(data))


def arm(fuse: Fuse, who: str, note: Path) -> _Armed:
    """Put the fuse into this process, for good."""
    armed = _Armed(fuse, who, note)
    if fuse.kind == "limit":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (fuse.number, resource.RLIM_INFINITY))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; so the kernel ends the process in the write
        return armed
    from ftsweep.store import atomic as durable

    sys.addaudithook(armed.audit)
    os.write, os.fsync = armed.os_write, armed.os_fsync  # type: ignore[assignment]
    durable.open = armed.opened  # type: ignore[attr-defined]
    if "sqlalchemy" in sys.modules:
        _watch_commits(armed)
    return armed


def _watch_commits(armed: _Armed) -> None:
    from sqlalchemy.engine.default import DefaultDialect

    commit = DefaultDialect.do_commit

    def watched(self: Any, connection: Any) -> None:
        armed.event("commit")
        commit(self, connection)
        armed.event("after commit")

    DefaultDialect.do_commit = watched  # type: ignore[method-assign]
