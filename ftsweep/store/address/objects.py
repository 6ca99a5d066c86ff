"""What a store at an address is asked to do, whatever it is; and the three ways in which it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from ftsweep.errors import StudyError, UsageError

T = TypeVar("T")


class StoreAwayError(StudyError):
    """The store cannot be reached now; the same may work later."""


class StoreRefusedError(UsageError):
    """The store is not there, or does not let us in: waiting changes nothing at the start of a command."""


class MissingObjectError(LookupError):
    """There is no object of this name (any more)."""


class Objects(Protocol):
    """Objects by name (`studies/q/owner/00000001.json`). An object is whole or not there.

    Every method raises StoreAwayError or StoreRefusedError.
    """

    address: str

    def get(self, name: str) -> bytes:
        """Raises MissingObjectError."""

    def fetch(self, name: str, path: Path) -> None:
        """Into a file. Raises MissingObjectError."""

    def put(self, name: str, content: bytes) -> None:
        """Make or replace an object."""

    def send(self, name: str, path: Path, size: int) -> None:
        """Make or replace an object with the first `size` bytes of a file."""

    def create(self, name: str, content: bytes) -> bool:
        """Make an object where there is none of this name, in one step; whether there was none."""

    def names(self, prefix: str) -> list[str]:
        """Of all objects below `prefix`, which ends with a slash; without it, in order."""

    def folders(self, prefix: str) -> list[str]:
        """What objects' names have behind `prefix` and before the next slash, in order; without looking at them all."""

    def delete(self, names: Iterable[str]) -> None:
        """Those that are there."""


def patiently(call: Callable[[], T], seconds: float, tell: Callable[[str], None]) -> T:
    """Make a call, and again with growing pauses while the store is away; `tell` hears why.

    Raises:
        StoreAwayError: it is still away after so many seconds.
    """
    began, pause = time.monotonic(), 0.5
    while True:
        try:
            return call()
        except StoreAwayError as error:
            waited = time.monotonic() - began
            if waited + pause > seconds:
                raise
            tell(f"{error.where} is away ({error.what}): waiting for it, {waited:.0f} s so far")
        time.sleep(pause)
        pause = min(2 * pause, 15.0)
