"""A node's files by their content: each crosses the network once per node."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from ftsweep.store.locks import try_lock

PART_BYTES = 8 << 20
"""A message carries at most so much of a file. Ray keeps the memory of some of them on each node, for good."""
_HASH_LENGTH = 64

SETTLED_SECONDS = 2.0
"""A file that was changed so lately may be changed again without its time telling."""


def file_hash(file: Path) -> str:
    """SHA-256 of its content, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class Hashes:
    """`file_hash` of files that are asked after again and again, such as a base's weights for every trial."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], str] = {}

    def of(self, file: Path) -> str:
        status = file.stat()
        key = (str(file), status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in self._known:
            found = file_hash(file)
            if time.time() - status.st_mtime < SETTLED_SECONDS:
                return found
            self._known[key] = found
        return self._known[key]


class Objects:
    """In a folder that the slots of a node share."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, name: str) -> Path:
        if len(name) != _HASH_LENGTH or not set(name) <= set("0123456789abcdef"):
            raise ValueError(f"{name!r} is no hash")
        return self._folder / name

    def missing(self, names: list[str]) -> dict[str, int]:
        """Those that are not here whole, with the bytes that are."""
        found = {}
        for name in names:
            if self.path(name).exists():
                os.utime(self.path(name))
                continue
            part = self._part(name)
            found[name] = part.stat().st_size if part.exists() else 0
        return found

    def put(self, name: str, offset: int, data: bytes, *, is_last: bool) -> None:
        """A part of an object; two slots that get one at once do not meet before it is whole.

        Raises:
            ValueError: the whole is not what its name says.
        """
        part = self._part(name)
        with part.open("r+b" if part.exists() else "wb") as file:
            file.seek(offset)
            file.write(data)
        if not is_last:
            return
        if file_hash(part) != name:
            part.unlink()
            raise ValueError(f"a file did not arrive as it was sent ({name})")
        os.replace(part, self.path(name))

    def lay_out(self, files: Mapping[str, str], root: str, *, copies: bool, in_place: Collection[str] = ()) -> None:
        """Put objects where they belong: as links to one file, or as copies that may be changed. Of those `in_place`
        the source is the file of that name on this node.
        """
        for name, content in files.items():
            target, source = Path(f"{root}{name}"), Path(name) if name in in_place else self.path(content)
            if not copies and target.exists() and target.samefile(source):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            if copies:
                shutil.copyfile(source, temporary)
            else:
                with suppress(FileNotFoundError):
                    temporary.unlink()
                if name in in_place:
                    temporary.symlink_to(source)
                else:
                    os.link(source, temporary)
            os.replace(temporary, target)

    def trim(self, trees: Path) -> None:
        """Bring what the node keeps under its limit: files that no tree has go, then with their files the trees of
        stores that nobody uses (whose lock is free); of each what was not used for longest.
        """
        left = self._trim_files(_num_bytes(self._folder, trees))
        for lock in sorted(trees.glob("*/lock"), key=lambda file: file.stat().st_mtime):
            if left <= self._limit_bytes:
                return
            with lock.open(encoding="utf-8") as file:
                if try_lock(file):
                    shutil.rmtree(lock.parent, ignore_errors=True)
                    left = self._trim_files(_num_bytes(self._folder, trees))

    def _trim_files(self, total: int) -> int:
        """Remove files that no tree has while there are more bytes than the limit; how many are left."""
        for entry in sorted(self._folder.iterdir(), key=lambda entry: entry.stat().st_mtime):
            status = entry.stat()
            if total > self._limit_bytes and status.st_nlink == 1:
                total -= status.st_size
                entry.unlink(missing_ok=True)
        return total

    def _part(self, name: str) -> Path:
        return self.path(name).with_suffix(f".{os.getpid()}.part")


def _num_bytes(*folders: Path) -> int:
    """Of all files below, those with several links counted once."""
    sizes = {}
    for folder in folders:
        for file in folder.rglob("*"):
            with suppress(FileNotFoundError):
                status = file.lstat()
                if not stat.S_ISDIR(status.st_mode):
                    sizes[status.st_ino] = status.st_size
    return sum(sizes.values())
