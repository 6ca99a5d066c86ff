"""How files are written so that no crash can spoil them, and read so that a torn one does no harm."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from ftsweep.errors import DamagedFileError, FtsweepError


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename."""
    write_text(path, json.dumps(value, indent=1, allow_nan=True) + "\n")


def write_text(path: Path, text: str) -> None:
    """Like `write_json`, for text."""
    with written_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def written_file(path: Path, *, is_synced: bool = True) -> Iterator[Path]:
    """Give a temporary path to write; the file takes the place of `path` when the block ends without an error.

    Without `is_synced` a power failure may take it or leave it empty; a kill may not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_torn(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if is_synced:
            _sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # the disk may be full, or read-only
            remove(temporary)
        raise
    if is_synced:
        _sync(path.parent)


def read_json(path: Path) -> Any:
    """What `write_json` wrote.

    Raises:
        DamagedFileError: the file holds something else.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, IsADirectoryError) as error:
        raise DamagedFileError(path, str(error)) from error


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Tell of a file whose content has not the shape that the block expects."""
    try:
        yield
    except FtsweepError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(path, f"{type(error).__name__}: {error}") from error


@contextmanager
def written_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; it takes the place of `path` when the block ends without an error.

    A kill between the two renames leaves the former folder under its old name: readers call `settle_folder` first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    settle_folder(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    remove(temporary)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
        if path.exists():
            os.replace(path, _former(path))
        os.replace(temporary, path)
        _sync(path.parent)
        remove(_former(path))
    finally:
        remove(temporary)


def settle_folder(path: Path) -> None:
    """Finish or undo what a killed `written_folder` left: the newest whole folder stands under `path`, alone."""
    _remove_torn(path)
    former = _former(path)
    if not former.exists():
        return
    if path.exists():
        remove(former)
    else:
        os.replace(former, path)


def remove_folder(path: Path) -> None:
    """Remove a folder that `written_folder` wrote, and what killed writers left of it."""
    settle_folder(path)
    remove(path)


def _remove_torn(path: Path) -> None:
    """Remove what writers of this file or folder left that were killed; those that live keep theirs."""
    for torn in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        writer = torn.name.split(".")[-2]
        if not (writer.isdecimal() and is_alive(int(writer))):
            remove(torn)


def is_alive(pid: int) -> bool:
    """Whether a process of this machine has the number; another one may have got it since."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _former(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def remove(path: Path) -> None:
    """Remove a file or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one JSON line that ends with its checksum, and have it on disk before returning."""
    text = json.dumps(value, sort_keys=True, allow_nan=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a line torn by a crash: end it, so that this one stands on its own
                file.write(b"\n")
        file.write(f"{text}\t{zlib.crc32(text.encode()):08x}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines that `append_line` wrote; torn or damaged ones are passed over."""
    if not path.exists():
        return
    yield from _sound_lines(path.read_bytes())


def read_new_lines(path: Path | str, offset: int) -> tuple[list[dict[str, Any]], int]:
    """The lines that were appended behind `offset` bytes, and the offset behind the last of them.

    A line without its end is not read yet: it may be written at this moment.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        text = file.read()
    whole = text.rfind(b"\n") + 1
    return _sound_lines(text[:whole]), offset + whole


def _sound_lines(content: bytes) -> list[dict[str, Any]]:
    """Parsed as one list: that is faster, and the lines share their keys."""
    parts = (line.rpartition(b"\t") for line in content.split(b"\n"))
    sound = [text for text, _, checksum in parts if text and checksum == b"%08x" % zlib.crc32(text)]
    found: list[dict[str, Any]] = json.loads(b"[" + b",".join(sound) + b"]")
    return found


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder; files and folders that vanish meanwhile count as nothing."""
    total = 0
    for folder, _, names in os.walk(path):  # unlike rglob, it passes over a folder that is gone
        for name in names:
            with suppress(FileNotFoundError):
                status = (Path(folder) / name).lstat()
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
