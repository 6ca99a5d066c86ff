"""Members of zip archives."""

from __future__ import annotations

import fnmatch
import zipfile
from pathlib import Path

from ftsweep.errors import DataError

_MAX_MEMBERS = 100_000


def is_archive(path: Path) -> bool:
    """By its name: a spreadsheet is a zip archive, too."""
    return path.suffix.lower() == ".zip"


def split_member(path: Path) -> tuple[Path | None, str]:
    """The archive and the member (or pattern) in it that a path names: `corpus.zip/train.csv`; (None, "") of others."""
    for each in (path, *path.parents):
        if is_archive(each) and each.is_file():
            return each, "" if each == path else path.relative_to(each).as_posix()
    return None, ""


def member_names(archive: Path, pattern: str = "") -> list[str]:
    """Files in the archive, hidden ones left out; only those that match a pattern, if there is one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            infos = opened.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"cannot be read as a zip archive: {error}", where=str(archive)) from error
    if len(infos) > _MAX_MEMBERS:
        raise DataError(f"holds {len(infos)} members, too many to be data", where=str(archive))
    names = [info.filename for info in infos if not info.is_dir()]
    names = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in Path(name).parts)]
    return [name for name in names if not pattern or name == pattern or fnmatch.fnmatch(name, pattern)]
