"""Who owns a study at an address: the process that made the object of the highest term.

A term is won by a conditional put, so two processes cannot both have it. Its owner replaces the object every few
seconds; who does not for as long as a lease lasts may be followed by a next term, and then owns nothing: readers and
owners heed only the highest term, whatever a former owner still sends. No two clocks are compared: who wants to follow
watches the object for the length of a lease by its own clock.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftsweep.errors import StudyLockedError
from ftsweep.store.address.index import study_prefix
from ftsweep.store.address.objects import MissingObjectError, Objects, StoreRefusedError

LEASE_SECONDS = 40.0
RENEW_SECONDS = 10.0
_LOOK_SECONDS = 2.0

_TERM = re.compile(r"(\d{8})\.json")


class LostOwnershipError(StudyLockedError):
    """Another process has followed: what this one still does is of no account to the address."""


@dataclass
class Ownership:
    """Of one study, by this process. `tell` hears what is waited for."""

    objects: Objects
    study: str
    tell: Callable[[str], None]
    seconds: float = LEASE_SECONDS
    term: int = 0
    _token: str = field(default_factory=lambda: secrets.token_hex(8))
    _since: float = field(default_factory=time.time)
    _lost: LostOwnershipError | None = None
    _renewed: float = 0.0  # when the last renewal that arrived was begun, by `_now`

    def take(self) -> None:
        """Own the study.

        Raises:
            StudyLockedError: a live process owns it.
            StoreRefusedError: the store cannot keep two owners apart.
        """
        while True:
            began = _now()
            term, content = self._highest()
            if content is not None and not _is_free(content):
                self._outwait(term, content)
            if self._won(term + 1):
                self.term, self._renewed = term + 1, began
                break
        self._check_conditions()
        with suppress(MissingObjectError):
            former = [self._name(each) for each in self._terms() if each < self.term]
            self.objects.delete(former)

    @property
    def is_fresh(self) -> bool:
        """Whether nobody can have followed yet."""
        return self.term > 0 and _now() - self._renewed < self.seconds / 2

    def renew(self) -> None:
        """Show that this process lives.

        Raises:
            LostOwnershipError: another process owns the study.
        """
        began = _now()
        self._check_highest()
        self.objects.put(self._name(self.term), self._signed())
        self._renewed = began

    def ensure(self) -> None:
        """Own the study now, or raise LostOwnershipError: to be called before anything is sent."""
        if self._lost is not None:
            raise self._lost
        if not self.is_fresh:
            self.renew()

    def release(self) -> None:
        """Let the next owner come at once."""
        self._check_highest()
        self.objects.put(self._name(self.term), self._signed(is_released=True))

    # -- terms ----------------------------------------------------------------------------------------------------

    def _check_highest(self) -> None:
        terms = self._terms()
        if terms and terms[-1] > self.term:
            self._lost = LostOwnershipError(
                f"study {self.study!r} was taken over by {_signature(self._highest()[1] or b'')}",
                where=self.objects.address,
                remedy="This process was not heard of for so long that it counted as dead. Its trials go on there.",
            )
            raise self._lost

    def _won(self, term: int) -> bool:
        """Also where the request arrived and its answer was lost."""
        if self.objects.create(self._name(term), self._signed()):
            return True
        try:
            return bool(_read(self.objects.get(self._name(term))).get("token") == self._token)
        except MissingObjectError:
            return False

    def _check_conditions(self) -> None:
        """That a second conditional put of one name is refused: some stores take no notice of the condition."""
        if self.objects.create(self._name(self.term), self._signed()):
            raise StoreRefusedError(
                "the store takes no notice of conditional puts (If-None-Match), so two owners could not be kept apart",
                where=self.objects.address,
                remedy="Use one that does (Amazon S3, Google, Azure, MinIO, Ceph from Squid on), or a folder.",
            )

    def _outwait(self, term: int, content: bytes) -> None:
        """Return when the owner has let go or has not been heard of for the length of its lease.

        Raises:
            StudyLockedError: it lives.
        """
        lasts = min(max(float(_read(content).get("seconds", self.seconds)), 0.0), 3600.0)
        deadline, has_told = time.monotonic() + lasts, False
        while time.monotonic() < deadline:
            if not has_told:
                self.tell(
                    f"{_signature(content)} owned study {self.study!r}: waiting up to {lasts:.0f} s for a sign of it"
                )
                has_told = True
            time.sleep(min(_LOOK_SECONDS, lasts / 10))
            now_term, now = self._highest()
            if now is None or _is_free(now):
                return
            if now_term != term or now != content:
                raise StudyLockedError(
                    f"study {self.study!r} is being run by {_signature(now)}",
                    where=self.objects.address,
                    remedy="Give this command on that machine, wait for it, or stop it there (`ftsweep stop`). "
                    "A run of another name (study.name=...) is another study.",
                )

    def _highest(self) -> tuple[int, bytes | None]:
        """The highest term and its object; 0 and None before there is one."""
        while terms := self._terms():
            with suppress(MissingObjectError):
                return terms[-1], self.objects.get(self._name(terms[-1]))
        return 0, None

    def _terms(self) -> list[int]:
        found = (_TERM.fullmatch(name) for name in self.objects.names(f"{study_prefix(self.study)}owner/"))
        return sorted(int(match[1]) for match in found if match)

    def _name(self, term: int) -> str:
        return f"{study_prefix(self.study)}owner/{term:08d}.json"

    def _signed(self, *, is_released: bool = False) -> bytes:
        signature = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "machine": _machine(),
            "started": _started(os.getpid()),
            "since": self._since,
            "renewed": time.time(),
            "seconds": self.seconds,
            "token": self._token,
            "released": is_released,
        }
        return json.dumps(signature).encode()


def owner_at(objects: Objects, study: str) -> str:
    """The process that owns a study, for people; "" where it was let go, or nobody ever did."""
    _, content = Ownership(objects, study, lambda text: None)._highest()
    return "" if content is None or _is_free(content) else _signature(content)


def _now() -> float:
    """Seconds on a clock that goes on while the machine sleeps, where it has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _is_free(content: bytes) -> bool:
    """Whether the owner has let go, or was a process of this very machine that is no more."""
    data = _read(content)
    if data.get("released") is True:
        return True
    pid = data.get("process")
    if data.get("machine") != _machine() or not isinstance(pid, int):
        return False
    return _started(pid) == "" or _started(pid) != data.get("started")


def _read(content: bytes) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _signature(content: bytes) -> str:
    data = _read(content)
    times = [
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(data.get(key, 0)))) for key in ("since", "renewed")
    ]
    return f"process {data.get('process', '?')} on {data.get('host', '?')} since {times[0]} (last heard of {times[1]})"


def _machine() -> str:
    """This boot of this machine, and which processes are to be seen here; "" where that cannot be known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no file, a name
    except OSError:
        return f"unknown {secrets.token_hex(8)}"  # like no other


def _started(pid: int) -> str:
    """When a process of this machine started, in ticks since boot; "" when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
