"""What a command writes to a place that its user has named: all of it, or nothing and a paragraph that says why."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ftsweep.errors import FtsweepError, UsageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CODE = re.compile(r"\[Errno (\d+)\]|os error (\d+)")


@contextmanager
def written_to(place: Path) -> Iterator[None]:
    """Around the writing of a file, or of a folder that is absent or empty before.

    Raises:
        UsageError: nothing can be written there.
        FtsweepError: the disk is full. Nothing is left there in either case: the same command may be given again.
    """
    is_free, is_new = _is_free(place), not os.path.lexists(place)
    try:
        yield
    except BaseException as error:
        code = _code(error, place) if isinstance(error, Exception) and not isinstance(error, FtsweepError) else None
        if is_free:
            _remove(place, is_new=is_new)
        if code is None:
            raise
        where, what = str(place), f"this cannot be written: {os.strerror(code)}"
        if code in _FULL:
            remedy = "Nothing is left there. Free some space and give the same command again, or name another place."
            raise FtsweepError(what, where=where, remedy=remedy) from error
        raise UsageError(what, where=where, remedy="Name another place.") from error


def _is_free(place: Path) -> bool:
    try:
        return not place.exists() or (place.is_dir() and not any(place.iterdir()))
    except OSError:
        return False


def _remove(place: Path, *, is_new: bool) -> None:
    """What was written; a folder that was there before stays, empty."""
    with suppress(OSError):
        if not place.is_dir():
            place.unlink(missing_ok=True)
        elif is_new:
            shutil.rmtree(place)
        else:
            for each in place.iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()


def _code(error: BaseException, place: Path) -> int | None:
    """The system's number of what went wrong at the place; None where it went wrong elsewhere.

    A copied tree and safetensors tell it in words.
    """
    from ftsweep.executors.failure import is_place_error

    if isinstance(error, OSError) and error.errno is not None:
        own = (str(place.absolute()), str(place.absolute().with_name(f".{place.name}")))  # and what is renamed to it
        is_own = error.filename is None or str(Path(os.fsdecode(error.filename)).absolute()).startswith(own)
        return error.errno if is_own or is_place_error(error) else None
    found = _CODE.search(str(error)) if isinstance(error, shutil.Error) or is_place_error(error) else None
    return int(found[1] or found[2]) if found else None
