"""A folder that goes with the process that made it: removed by it, or after its death by whoever makes the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from ftsweep.store.locks import try_lock

_LOCK = "lock"


class HeldFolder:
    """A new folder below `parent`, for this user alone."""

    def __init__(self, parent: Path, prefix: str, suffix: str = "") -> None:
        remove_left(parent, prefix)
        self.path = Path(tempfile.mkdtemp(suffix, prefix, parent))
        first = self.path / f"{_LOCK}.new"
        self._file = first.open("w", encoding="utf-8")
        try_lock(self._file)
        first.rename(self.path / _LOCK)  # so that nobody finds it without its lock held

    def remove(self) -> None:
        """With all that is in it. Twice does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._file.close()


def remove_left(parent: Path, prefix: str) -> None:
    """Remove what processes left that were killed."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # another's, or another is removing it, too
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("r+", encoding="utf-8") as file:
                if try_lock(file):
                    shutil.rmtree(folder, ignore_errors=True)


def own_folder(path: Path) -> Path:
    """A folder of this user alone, made where it is missing.

    Raises:
        OSError: it is another user's, who could put there what this one would run.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = path.stat(follow_symlinks=False)
    if path.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{path} is not a folder that only this user may write")
    return path
