"""Who owns a study: the process that holds the lock in its folder, and has signed it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ftsweep.domain.commands import study_command
from ftsweep.errors import StudyLockedError, UsageError
from ftsweep.store.locks import try_lock

_LOCK_ATTEMPTS = 10
_LOCK_WAIT_SECONDS = 0.03


@dataclass(frozen=True)
class Lease:
    """The ownership of the study in `folder`. A stale one cannot exist: the lock goes with its owner."""

    folder: Path

    @property
    def is_held(self) -> bool:
        """Whether a live process owns the study."""
        if not self._file.exists():
            return False
        with open(self._file, encoding="utf-8") as file:
            return not try_lock(file, is_shared=True)

    @property
    def since(self) -> float | None:
        """When its owner took it, in seconds since 1970; None when nobody owns it."""
        return self._file.stat().st_mtime if self.is_held else None

    @property
    def owner(self) -> str:
        """The process that owns the study, as it has signed; "" when none does or it has not signed yet."""
        try:
            return self._file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Own the study until the block ends or the process dies.

        Raises:
            StudyLockedError: a live process owns the study.
            UsageError: the folder cannot be made or written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = open(self._file, "a+", encoding="utf-8")  # noqa: SIM115 - closed by the block below
        except OSError as error:
            raise UsageError(
                f"the study's folder cannot be made or written: {error.strerror}",
                where=str(self.folder),
                remedy="Mend its permissions, or name another store: store.path=... (--store in other commands)",
            ) from error
        with file:
            if not _taken(file):
                file.seek(0)
                owner, name = file.read().strip() or "another process", self.folder.name
                command = study_command("stop", name, store=self.folder.parent.parent)
                raise StudyLockedError(
                    f"study {name!r} is being run by {owner}",
                    where=str(self._file),
                    remedy=f"Wait for it, stop it ({command}), or give this run another name with study.name=...",
                )
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    @property
    def _file(self) -> Path:
        return self.folder / "lock"


def _taken(file: TextIO) -> bool:
    """Whether the lock could be taken. Who only asks after it (`is_held`) holds it for an instant: wait that out."""
    for _ in range(_LOCK_ATTEMPTS):
        if try_lock(file):
            return True
        time.sleep(_LOCK_WAIT_SECONDS)
    return False
