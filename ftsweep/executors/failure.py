"""What a person, and the study's retry rule, must know of an error that ended a job."""

from __future__ import annotations

import errno
import os
import sysconfig
import traceback
from pathlib import Path
from typing import Literal

import ftsweep
from ftsweep.domain.messages import Failed
from ftsweep.errors import FtsweepError
from ftsweep.redaction import without_secrets

PLACE_ERRNOS = {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS}
_MACHINE_ERRNOS = {errno.ESTALE, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOTCONN, errno.ETIMEDOUT}
_PLACE_WORDS = (
    *(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)),
    "database or disk is full", "disk I/O error", "write a readonly database", "unable to open database file",
)  # fmt: skip
_DEVICE_WORDS = ("CUDA error", "CUDA driver", "cuDNN error", "CUBLAS_STATUS_", "NCCL error", "HIP error", "ECC error")
_LIBRARIES = tuple(Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "purelib", "platlib"))
_OWN = Path(ftsweep.__file__).resolve().parent


def describe_failure(job: str, error: BaseException) -> Failed:
    """The `failed` message of a job that raised this."""
    return {
        "type": "failed",
        "job": job,
        "kind": failure_kind(error),
        "error_class": type(error).__name__,
        "message": without_secrets(str(error)),
        "where": _place_of(error),
        "traceback": without_secrets("".join(traceback.format_exception(error))),
    }


def failure_kind(error: BaseException) -> Literal["user", "infrastructure", "place"]:
    """`infrastructure` when the same job may well succeed on another day or device; `place` when a disk or folder is to
    blame, and no other trial would fare better.

    A device-side assert is the user's: an index out of range in the data or the model, the same every time.
    """
    if is_place_error(error):
        return "place"
    if isinstance(error, OSError):
        return "infrastructure" if error.errno in _MACHINE_ERRNOS else "user"
    if isinstance(error, RuntimeError) and "device-side assert" not in str(error):
        if any(kind.__name__ == "AcceleratorError" for kind in type(error).__mro__):  # torch is not imported here
            return "infrastructure"
        if any(words in str(error) for words in _DEVICE_WORDS):
            return "infrastructure"
    return "user"


def is_place_error(error: BaseException) -> bool:
    """Whether a disk is full, or something may not be written or read there."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in PLACE_ERRNOS
    # safetensors, Arrow and databases, which write files themselves, tell it in words only
    is_library = type(error).__module__ != "builtins" and not isinstance(error, FtsweepError)
    if is_library and any(words in str(error) for words in _PLACE_WORDS):
        return True
    return error.__cause__ is not None and is_place_error(error.__cause__)


def _place_of(error: BaseException) -> str:
    """What the error itself names, else `file:line` of the deepest frame in the user's code, else in ftsweep's; for a
    full disk no line of code is to blame.
    """
    if isinstance(error, FtsweepError) and error.where:
        return error.where
    if is_place_error(error):
        return str(getattr(error, "filename", None) or "")
    if users := place_in_code_of_user(error):
        return users
    frames = _frames_of(error)
    deepest = ([frame for frame in frames if _is_below(frame[0], _OWN)] or frames)[-1:]
    return ":".join(str(part) for part in deepest[0]) if deepest else ""


def place_in_code_of_user(error: BaseException) -> str:
    """`file:line` of the deepest frame that is neither of ftsweep nor of a library; "" where the error met none."""
    frames = [frame for frame in _frames_of(error) if frame[0].is_file()]
    users = [frame for frame in frames if not _is_below(frame[0], _OWN) and not _is_of_library(frame[0])]
    return ":".join(str(part) for part in users[-1]) if users else ""


def _frames_of(error: BaseException) -> list[tuple[Path, int | None]]:
    return [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]


def _is_of_library(file: Path) -> bool:
    """Also one beside Python's own folders: the user's site, Debian's packages, another environment on the path."""
    return _is_below(file, *_LIBRARIES) or not {"site-packages", "dist-packages"}.isdisjoint(file.resolve().parts)


def _is_below(file: Path, *folders: Path) -> bool:
    return any(file.resolve().is_relative_to(folder) for folder in folders)
