"""Fingerprints by which a file, a folder or a text is recognised as the one that was kept before."""

from __future__ import annotations

import hashlib
from pathlib import Path


def text_hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def content_hash(path: Path) -> str:
    """A hash of a file's content, or of the names and contents of all files below a folder."""
    total = hashlib.blake2b(digest_size=16)
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "blake2b").hexdigest()
            name = file.relative_to(path).as_posix() if path.is_dir() else ""
            total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()
