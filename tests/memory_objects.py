"""An object store in memory that can be away, die after so many requests, and remembers what was asked of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ftsweep.store.address.objects import MissingObjectError, StoreAwayError


class MachineDiedError(BaseException):
    """The machine that made the request is no more."""


@dataclass
class MemoryObjects:
    content: dict[str, bytes] = field(default_factory=dict)
    address: str = "s3://bucket/prefix"
    is_away: bool = False
    dies_at: int | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def get(self, name: str) -> bytes:
        with self._asked("get", name):
            if name not in self.content:
                raise MissingObjectError(name)
            return self.content[name]

    def fetch(self, name: str, path: Path) -> None:
        path.write_bytes(self.get(name))

    def put(self, name: str, content: bytes) -> None:
        with self._asked("put", name):
            self.content[name] = content

    def send(self, name: str, path: Path, size: int) -> None:
        with open(path, "rb") as file:
            self.put(name, file.read(size))

    def create(self, name: str, content: bytes) -> bool:
        with self._asked("create", name):
            if name in self.content:
                return False
            self.content[name] = content
            return True

    def names(self, prefix: str) -> list[str]:
        with self._asked("names", prefix):
            return sorted(name.removeprefix(prefix) for name in self.content if name.startswith(prefix))

    def folders(self, prefix: str) -> list[str]:
        return sorted({name.partition("/")[0] for name in self.names(prefix) if "/" in name})

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            with self._asked("delete", name):
                self.content.pop(name, None)

    def asked(self, kind: str) -> list[str]:
        return [name for each, name in self.requests if each == kind]

    def _asked(self, kind: str, name: str) -> threading.RLock:
        if self.is_away:
            raise StoreAwayError("503 Slow Down", where=self.address)
        if self.dies_at is not None and len(self.requests) >= self.dies_at:
            raise MachineDiedError
        self.requests.append((kind, name))
        return self.lock
