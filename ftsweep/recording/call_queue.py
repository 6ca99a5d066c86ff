"""Calls made one after the other in a thread, again and again while they find the other side away."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from threading import Condition, Event, Thread
from typing import Any

from ftsweep.errors import FtsweepError
from ftsweep.recording.base import RecorderAwayError

logger = logging.getLogger(__name__)

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_LAST_TRIES = 3  # how often a call is tried once the queue wants to end


@dataclass(frozen=True)
class Batch:
    """Items that may travel with those of the next calls with the same key."""

    key: str
    items: Sequence[Any]
    send: Callable[[Sequence[Any]], None]


@dataclass(eq=False)
class Call:
    """One call, and what came of it. A call that was let go is done without a result."""

    verb: str
    do: Callable[[], Any] | Batch
    is_essential: bool = False  # when it is refused, the calls behind it make no sense
    done: Event = field(default_factory=Event)
    result: Any = None
    error: Exception | None = None


class CallQueue:
    """Makes calls in order in a daemon thread. RecorderAwayError means again later; any other error is a refusal."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()  # the first one is under way
        self._changed = Condition()
        self._thread: Thread | None = None
        self._num_failures = 0  # attempts in a row that found the other side away
        self._is_closing = False
        self._has_given_up = False
        self._sentences: list[str] = []
        self._last_message = ""

    def put(self, verb: str, do: Callable[[], Any] | Batch, *, is_essential: bool = False) -> Call:
        """Add a call; never waits. Once the queue has given up, calls are let go at once."""
        call = Call(verb, do, is_essential)
        with self._changed:
            if self._has_given_up:
                call.done.set()
                return call
            self._calls.append(call)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = Thread(target=self._work, name="recorder", daemon=True)
                self._thread.start()
        return call

    def wait_for(self, call: Call, seconds: float, *, num_tries: int = _LAST_TRIES) -> None:
        """Wait until the call is done, this much time is over, or the other side was away this often in a row."""
        with self._changed:
            self._changed.wait_for(lambda: call.done.is_set() or self._num_failures >= num_tries, seconds)

    def close(self, verb: str, do: Callable[[], Any], timeout_seconds: float) -> list[str]:
        """Make a last call; what was refused or not made, as sentences. Tries a few times, never past the timeout."""
        call = self.put(verb, do)
        with self._changed:
            self._is_closing, self._num_failures = True, 0
            self._changed.notify_all()
        call.done.wait(timeout_seconds)
        with self._changed:
            if self._calls:
                self.give_up()
            sentences, self._sentences = self._sentences, []
        return sentences + (call.result or [])

    def give_up(self) -> None:
        """Let go of everything that waits, now and later."""
        with self._changed:
            self._has_given_up = True
            if self._calls:
                reason = f" ({self._last_message})" if self._last_message else ""
                self._sentences.append(
                    f"The record is not complete: {len(self._calls)} calls were not made{reason}. All of it is on "
                    "disk, and the next 'ftsweep run' of this study sends it."
                )
            for call in self._calls:
                call.done.set()
            self._calls.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._calls or self._has_given_up)
                group = self._group()
            if not group:
                return
            first = group[0]
            try:
                if isinstance(first.do, Batch):
                    first.do.send([item for call in group for item in call.do.items])  # type: ignore[union-attr]
                else:
                    first.result = first.do()
            except RecorderAwayError as error:
                if not self._may_try_again(str(error)):
                    return
                continue
            except Exception as error:  # noqa: BLE001 - a recorder is somebody's code: its failure is told, not raised
                first.error = error
                self._tell_refusal(first.verb, error)
            if self._finish(group):
                return

    def _group(self) -> list[Call]:
        """The first call; with a batch, those of the same key right behind, batches of other keys passed over."""
        group = [self._calls[0]] if self._calls else []
        if group and isinstance(group[0].do, Batch):
            key = group[0].do.key
            batches = takewhile(lambda call: isinstance(call.do, Batch), islice(self._calls, 1, None))
            group += [call for call in batches if call.do.key == key]  # type: ignore[union-attr]
        return group

    def _may_try_again(self, message: str) -> bool:
        """Wait a little, longer each time; False when the queue wants to end or has ended."""
        with self._changed:
            self._num_failures += 1
            wait = min(_FIRST_WAIT_SECONDS * 2 ** (self._num_failures - 1), _LONGEST_WAIT_SECONDS)
            self._changed.notify_all()
            if message != self._last_message:
                self._last_message = message
                logger.warning("%s. The study goes on; what is not recorded now is sent later.", message)
            if self._is_closing and self._num_failures >= _LAST_TRIES:
                self.give_up()
            was_closing = self._is_closing
            self._changed.wait_for(lambda: self._has_given_up or self._is_closing != was_closing, wait)
            return not self._has_given_up

    def _tell_refusal(self, verb: str, error: Exception) -> None:
        sentence = f"A part of the record ({verb}) was refused: {error}"
        with self._changed:
            if sentence not in self._sentences:
                self._sentences.append(sentence)
                logger.error("%s", sentence, exc_info=None if isinstance(error, FtsweepError) else error)

    def _finish(self, group: list[Call]) -> bool:
        """Take done calls off the queue; whether the thread is no longer needed."""
        with self._changed:
            self._num_failures = 0
            for call in group:
                call.done.set()
                if call in self._calls:
                    self._calls.remove(call)
            if group[0].is_essential and group[0].error is not None:
                self.give_up()
            is_last = self._is_closing and not self._calls
            if is_last:  # a later call starts afresh
                self._is_closing, self._thread = False, None
            self._changed.notify_all()
            return is_last or self._has_given_up
