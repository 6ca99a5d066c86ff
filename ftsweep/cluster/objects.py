"""A node's files by their content: each crosses the network once per node, where it goes on after a cut."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

PART_BYTES = 32 << 20
"""A message carries at most so much of a file."""
_HASH_LENGTH = 64


def file_hash(file: Path) -> str:
    """SHA-256 of its content, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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

    def lay_out(self, files: Mapping[str, str], root: str, *, copies: bool) -> None:
        """Put objects where they belong: as links to one file, or as copies that may be changed."""
        for name, content in files.items():
            target, source = Path(f"{root}{name}"), self.path(content)
            if not copies and target.exists() and target.samefile(source):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            if copies:
                shutil.copyfile(source, temporary)
            else:
                with suppress(FileNotFoundError):
                    temporary.unlink()
                os.link(source, temporary)
            os.replace(temporary, target)

    def trim(self) -> None:
        """Bring the folder under its limit: what was not used for longest goes first."""
        entries = sorted(self._folder.iterdir(), key=lambda entry: entry.stat().st_mtime)
        total = sum(entry.stat().st_size for entry in entries)
        for entry in entries:
            if total <= self._limit_bytes:
                return
            total -= entry.stat().st_size
            with suppress(FileNotFoundError):
                entry.unlink()

    def _part(self, name: str) -> Path:
        return self.path(name).with_suffix(f".{os.getpid()}.part")
