"""What a study at an address consists of: an object that names every file and the object with its content.

    studies/<name>/objects/<sha256>          contents, each once, never changed
    studies/<name>/index/<term>.json.gz      the files of the study, replaced whole; that of the highest term counts
    studies/<name>/owner/<term>.json         who owns the study; see `ownership`

An index is sent behind all contents that it names: what it says is there, always.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ftsweep.errors import DamagedFileError
from ftsweep.store.address.objects import MissingObjectError, Objects

_OBJECT = re.compile(r"[0-9a-f]{64}")
_INDEX = re.compile(r"(\d{8})\.json\.gz")


@dataclass(frozen=True)
class Content:
    """Of one file: the SHA-256 of its bytes, which is its object's name; bytes; when it was written (seconds)."""

    object: str
    size: int
    modified: float


@dataclass(frozen=True)
class Index:
    """The files of a study by their paths within its folder, as they were at one moment.

    `term` is that of the owner who sent it, `number` counts what this owner has sent: together they say which it is.
    """

    term: int
    number: int
    files: Mapping[str, Content] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        return f"{self.term}.{self.number}"

    @property
    def objects(self) -> set[str]:
        return {content.object for content in self.files.values()}

    def to_bytes(self) -> bytes:
        files = {path: [each.object, each.size, each.modified] for path, each in sorted(self.files.items())}
        data = {"term": self.term, "number": self.number, "files": files}
        return gzip.compress(json.dumps(data, separators=(",", ":")).encode(), compresslevel=1, mtime=0)

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> Index:
        """Raises DamagedFileError, also for a name that leads out of the study's folder."""
        try:
            data: dict[str, Any] = json.loads(gzip.decompress(content))
            files = {path: Content(str(each[0]), int(each[1]), float(each[2])) for path, each in data["files"].items()}
            index = cls(int(data["term"]), int(data["number"]), files)
        except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
            raise DamagedFileError(where, f"{type(error).__name__}: {error}") from error
        for path, each in files.items():
            if not is_plain(path) or not _OBJECT.fullmatch(each.object):
                raise DamagedFileError(where, f"it names {path!r}, which cannot be a file of a study")
        return index


def is_plain(path: str) -> bool:
    """Whether a path leads to a file below the folder that it starts from."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\\" not in path and "\0" not in path


def study_prefix(study: str) -> str:
    return f"studies/{study}/"


def index_name(study: str, term: int) -> str:
    return f"{study_prefix(study)}index/{term:08d}.json.gz"


def index_terms(objects: Objects, study: str) -> list[int]:
    """The terms of which there is an index, in order."""
    found = (_INDEX.fullmatch(name) for name in objects.names(f"{study_prefix(study)}index/"))
    return sorted(int(match[1]) for match in found if match)


def newest_index(objects: Objects, study: str) -> Index | None:
    """The index that counts; None where the study has none yet."""
    while terms := index_terms(objects, study):
        name = index_name(study, terms[-1])
        try:
            return Index.from_bytes(objects.get(name), f"{objects.address}/{name}")
        except MissingObjectError:  # a newer one has taken its place just now
            continue
    return None


def studies_at(objects: Objects) -> list[str]:
    """The names of the studies that were begun there."""
    return objects.folders("studies/")
