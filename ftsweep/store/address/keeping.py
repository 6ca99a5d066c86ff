"""Keeps a study at its address while it runs: two threads, one that shows that its owner lives, one that sends."""

from __future__ import annotations

import logging
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ftsweep.domain.spelling import plural
from ftsweep.errors import FtsweepError
from ftsweep.store.address.capture import UnquietError
from ftsweep.store.address.objects import Objects, StoreAwayError, StoreRefusedError
from ftsweep.store.address.ownership import RENEW_SECONDS, LostOwnershipError, Ownership
from ftsweep.store.address.sending import Sender

_LOGGER = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_LOOK_SHARE = 0.02
"""Of a core, for looking whether anything has changed."""

_LONGEST_PAUSE = 30.0
AWAY = (StoreAwayError, StoreRefusedError)
"""Once a study runs, credentials that have run out are waited for as a network is."""


@dataclass
class Keeper:
    """Of one study in its owner's process. `on_lost` is called, once, when another process has taken the study over."""

    sender: Sender
    ownership: Ownership
    patience_seconds: float
    """How long a store that is away is waited for at the end; `hurry` makes it shorter."""
    renew_seconds: float = field(default_factory=lambda: RENEW_SECONDS)
    on_lost: Callable[[], None] = lambda: None
    lost: LostOwnershipError | None = None
    left: list[str] = field(default_factory=list)
    """After the end: what a person must know, that something is not there."""
    num_away: int = 0
    away_seconds: float = 0.0
    _away: str = ""
    _away_since: float = 0.0
    _away_at: str = ""
    _began: float = field(default_factory=time.monotonic)
    _ends: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def objects(self) -> Objects:
        return self.sender.objects

    @property
    def text(self) -> str:
        """What a person who watches should know: that the store is away, since when, and what waits."""
        if self.lost is not None:
            return str(self.lost)
        if not self._away:
            return ""
        count, size = self.sender.behind
        waits = f"; {_files(count, size)} to be sent" if count else ""
        return f"{self.objects.address} is away since {self._away_at} ({self._away}){waits}."

    @property
    def cost(self) -> str:
        """What keeping has cost so far, for people; "" when nothing was sent."""
        seconds = self.sender.seconds
        if not seconds:
            return ""
        wall = max(time.monotonic() - self._began, 1e-9)
        median, longest = statistics.median(seconds), max(seconds)
        times = "once" if self.num_away == 1 else f"{self.num_away} times"
        away = f"; away {times}, waited for {self.away_seconds:.0f} s" if self.num_away else ""
        return (
            f"{self.objects.address}: {plural(len(seconds), 'round')}, {1000 * median:.0f} ms (median; longest "
            f"{longest:.1f} s), "
            f"beside the study for {100 * sum(seconds) / wall:.1f} % of its time; "
            f"{_files(self.sender.num_sent, self.sender.bytes_sent)}{away}"
        )

    def begin(self) -> None:
        """Show from now on that the owner lives."""
        self._begin(self._renew, "renew")

    def start(self) -> None:
        """Begin to send; from here on the study's folder is whole."""
        self._begin(self._keep, "send")

    def _begin(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=f"ftsweep-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def give_up(self) -> None:
        """Let the study go without sending anything."""
        self._ends.set()
        with suppress(LostOwnershipError, *AWAY):
            self.ownership.release()

    def hurry(self, seconds: float) -> None:
        """Whoever wants to stop waits no longer than this for a store that is away."""
        self.patience_seconds = min(self.patience_seconds, seconds)

    def close(self) -> None:
        """Send what is left, and let the study go. Does not raise: see `left` and `lost`."""
        self._ends.set()
        began = time.monotonic()
        for thread in self._threads:
            while thread.is_alive() and not (self._away and time.monotonic() > began + self.patience_seconds):
                thread.join(0.2)
        if self.lost is not None:
            return
        try:
            if any(thread.is_alive() for thread in self._threads):
                raise StoreAwayError(self._away, where=self.objects.address)
            self._finish()
        except LostOwnershipError as error:
            self.lost = error
        except Exception as error:  # whatever it is, the study itself has come to its end
            _LOGGER.exception("%s has not got everything", self.objects.address)
            count, size = self.sender.behind
            what = _files(count, size) if count else "the last changes"
            why = error.what if isinstance(error, FtsweepError) else f"{type(error).__name__}: {error}".rstrip(": ")
            where = self.sender.folder.path
            self.left = [
                f"{self.objects.address} has not got {what}: {why}. They lie in {where}: give the same command again "
                "on this machine when the store answers, and before any other machine goes on."
            ]

    def _finish(self) -> None:
        began, pause = time.monotonic(), 0.5
        while True:
            try:
                self.sender.send(is_last=True)
                self.sender.check()
                self.sender.send(is_last=True)
                self._note_there()
                self.ownership.release()
                return
            except AWAY as error:
                self._note_away(error)
                if time.monotonic() + pause > began + self.patience_seconds:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 5.0)

    # -- threads --------------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        while not self._ends.wait(self.renew_seconds):
            try:
                self.ownership.renew()
            except LostOwnershipError as error:
                self._note_lost(error)
                return
            except AWAY as error:
                _LOGGER.debug("%s cannot be renewed: %s", self.objects.address, error.what)

    def _keep(self) -> None:
        pause, wait = 0.5, 0.0
        while not self._ends.wait(wait):
            began = time.monotonic()
            try:
                has_sent = self.sender.send()
                self._note_there()
                took, pause = time.monotonic() - began, 0.5
                wait = _LOOK_SECONDS if has_sent else max(_LOOK_SECONDS, took / _LOOK_SHARE)
            except LostOwnershipError as error:
                self._note_lost(error)
                return
            except AWAY as error:
                self._note_away(error)
                wait, pause = pause, min(2 * pause, _LONGEST_PAUSE)
            except UnquietError:
                wait = _LOOK_SECONDS
            except Exception:  # of this machine's disk, or a defect: it is tried again, and at the end
                _LOGGER.exception("%s gets nothing", self.objects.address)
                wait = _LONGEST_PAUSE

    def _note_away(self, error: StoreAwayError | StoreRefusedError) -> None:
        if not self._away:
            self.num_away += 1
            self._away_since, self._away_at = time.monotonic(), time.strftime("%H:%M:%S")
            self._away = error.what  # the first of many reasons: who prints what is new would print them all
            _LOGGER.warning("%s is away, waiting for it: %s", self.objects.address, error.what)

    def _note_there(self) -> None:
        if self._away:
            waited = time.monotonic() - self._away_since
            self.away_seconds += waited
            self._away = ""
            _LOGGER.warning("%s is there again after %.0f s", self.objects.address, waited)

    def _note_lost(self, error: LostOwnershipError) -> None:
        is_first, self.lost = self.lost is None, error
        if is_first:
            _LOGGER.error("%s", error)
            self.on_lost()


def _files(count: int, size: int) -> str:
    return f"{plural(count, 'file')} ({size / 1e6:.1f} MB)"
