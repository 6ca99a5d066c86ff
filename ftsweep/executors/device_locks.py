"""One study per CUDA device: locks that name the holder, kept in the machine's temporary folder."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

from ftsweep.errors import UsageError


class DeviceLocks:
    """Holds devices until `release` or the end of this process, however it ends: the locks are the kernel's (flock).

    They bind all users of this machine who share its temporary folder; a container with its own is not seen.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = Path(tempfile.gettempdir()) if folder is None else folder
        self._files: list[TextIOWrapper] = []

    def take(self, devices: Sequence[str], holder: str) -> None:
        """Hold these devices, as CUDA_VISIBLE_DEVICES names them, for `holder`: all of them or none.

        Raises:
            UsageError: a live process holds one of them; the message says which study it runs.
        """
        identities = _identities()
        try:
            for device in devices:
                self._take(device, identities.get(device, device), holder)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let all of them go."""
        for file in self._files:
            with suppress(OSError):
                file.truncate(0)
            file.close()
        self._files.clear()

    def _take(self, device: str, identity: str, holder: str) -> None:
        path = self._folder / f"ftsweep-cuda-{re.sub(r'[^A-Za-z0-9-]', '-', identity)}.lock"
        file = _open(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                owner = file.read().strip() or "another study"
            raise UsageError(
                f"CUDA device {device} is in use by {owner}",
                where="executor",
                remedy="Wait for it, stop it with `ftsweep stop`, choose other devices with CUDA_VISIBLE_DEVICES=..., "
                "or train on the CPU with CUDA_VISIBLE_DEVICES=''.",
            ) from None
        self._files.append(file)
        with suppress(OSError):  # another user's file: locked all the same, but not signed
            file.truncate(0)
            file.write(f"{holder} (process {os.getpid()})\n")
            file.flush()


def _open(path: Path) -> TextIOWrapper:
    """The file to lock, made for all users; one of another user may only be read, which suffices to lock it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o666)
    except PermissionError:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "r", encoding="utf-8")
    with suppress(PermissionError):
        os.fchmod(handle, 0o666)  # whatever the umask says
    return os.fdopen(handle, "a+", encoding="utf-8")


def _identities() -> dict[str, str]:
    """UUID of every device by its index, so that a device is one whatever it is called; {} where nobody can tell."""
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    pairs = (line.split(",") for line in answer.stdout.splitlines() if line.count(",") == 1)
    return {index.strip(): uuid.strip() for index, uuid in pairs}
