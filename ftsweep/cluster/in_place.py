"""Files that a node has where the control machine has them: on a disk that both mount, or put there beforehand.

Never by their names alone. A disk is shared where a marker of this run, with a number drawn for it, is found at the
same place; a file on it is the same one by inode, size and time. Any other file is the same where its content is.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftsweep.cluster.held_folder import HeldFolder, remove_left
from ftsweep.cluster.objects import SETTLED_SECONDS, Hashes, file_hash
from ftsweep.store.atomic import read_json, write_json

_PREFIX, _SUFFIX = "shared-", ".tmp"  # so that no copy of the study holds it
_MARKER = "marker"
_KEPT_BYTES = 1 << 20
"""Hashes of files from this size on are kept for a node's other slots, and for later studies."""


@dataclass(frozen=True)
class FileFacts:
    """Of a file on the control machine."""

    content: str
    """Its hash."""
    size: int
    inode: int
    modified_ns: int
    is_beside: bool
    """Whether it lies on the disk of the marker."""


class SharedFolder:
    """The control side: a folder of one bridge below the study's, with the marker. Slots that find it may put there
    what is theirs, each attempt in a folder of its own.
    """

    def __init__(self, parent: Path) -> None:
        self._held = HeldFolder(parent, _PREFIX, _SUFFIX)
        self.path = self._held.path
        self.nonce = secrets.token_hex(16)
        write_json(self.path / _MARKER, self.nonce)
        self._device = self.path.stat().st_dev

    def facts(self, file: Path, hashes: Hashes) -> FileFacts:
        status = file.stat()  # first: of a file that changes meanwhile it tells another one than is here
        is_beside = status.st_dev == self._device
        return FileFacts(hashes.of(file), status.st_size, status.st_ino, status.st_mtime_ns, is_beside)

    def remove(self) -> None:
        self._held.remove()


def remove_shared(parent: Path) -> None:
    """Remove the folders of bridges that were killed."""
    remove_left(parent, _PREFIX)


class Places:
    """The node's side. `shared`: the folder of a marker that is seen here; None where none is."""

    def __init__(self, folder: str, nonce: str, kept: Path) -> None:
        self.shared, self._device, self._kept = None, -1, kept
        kept.mkdir(exist_ok=True)
        try:
            if read_json(Path(folder) / _MARKER) == nonce and os.access(folder, os.W_OK):
                self.shared, self._device = Path(folder), Path(folder).stat().st_dev
        except (OSError, ValueError):
            return

    def has(self, name: str, facts: FileFacts) -> bool:
        """Whether this very file, or one of its content, lies here under this name. May read all of it."""
        try:
            status = Path(name).stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != facts.size or not os.access(name, os.R_OK):
                return False
            is_shared = facts.is_beside and status.st_dev == self._device
            if is_shared and (status.st_ino, status.st_mtime_ns) == (facts.inode, facts.modified_ns):
                return True
            return self._hash(Path(name), status) == facts.content
        except OSError:
            return False

    def _hash(self, file: Path, status: os.stat_result) -> str:
        known = self._kept / hashlib.sha256(os.fsencode(file)).hexdigest()
        key = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        try:
            found: dict[str, Any] = read_json(known)
            if found["key"] == key:
                return str(found["hash"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        content = file_hash(file)
        is_settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED_SECONDS * 1e9
        if status.st_size >= _KEPT_BYTES and is_settled:
            write_json(known, {"key": key, "hash": content})
        return content


def handed_name(folder: str, name: str) -> str:
    """Where in its attempt's folder a file of a job's folder is handed over."""
    return f"{hashlib.sha256(folder.encode()).hexdigest()[:16]}/{name}"


def told(facts: FileFacts) -> dict[str, Any]:
    """As a call to a node carries it; `FileFacts(**told)` there."""
    return asdict(facts)
