"""Calls made one after the other in a thread, again and again while they find the other side away."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from typing import Any

from ftsweep.errors import FtsweepError
from ftsweep.recording.base import RecorderAwayError

logger = logging.getLogger(__name__)

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_LAST_SECONDS = 1.5  # that a closing queue has at least, when the user wants to stop but not at once
_LAST_TRIES = 3  # how often a call is tried once the queue wants to end
_BATCH_SHARE = 0.01  # of the time that batches may take; meanwhile they grow
_MOST_WAITING = 2_000  # calls that can be made again from disk; with more of them that is what will be done


@dataclass(frozen=True)
class Batch:
    """Items that may wait for those of later calls with the same key, and travel with them."""

    key: str
    items: Sequence[Any]
    send: Callable[[Sequence[Any]], None]


@dataclass(eq=False)
class Call:
    """One call, and what came of it. A call that was let go is done without a result."""

    verb: str
    do: Callable[[], Any] | Batch
    is_essential: bool = False  # when it is refused, the calls behind it make no sense
    after: str | None = None  # the key of batches that must not come later
    is_on_disk: bool = False
    done: Event = field(default_factory=Event)
    result: Any = None
    error: Exception | None = None


class CallQueue:
    """Makes calls in order in a daemon thread. RecorderAwayError means again later; any other error is a refusal."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._under_way: list[Call] = []
        self._again: Callable[[], Any] | None = None
        self._next_batch = 0.0  # on the monotonic clock: batches are held until then
        self._changed = Condition()
        self._thread: Thread | None = None
        self._num_failures = 0  # attempts in a row that found the other side away
        self._is_closing = False
        self._deadline = math.inf  # on the monotonic clock; nobody waits past it
        self._least_seconds = 0.0
        self._has_given_up = False
        self._sentences: list[str] = []
        self._last_message = ""

    def put(
        self,
        verb: str,
        do: Callable[[], Any] | Batch,
        *,
        is_essential: bool = False,
        after: str | None = None,
        is_on_disk: bool = False,
    ) -> Call:
        """Add a call; never waits. Once the queue has given up, calls are let go at once.

        Calls are made in order, but batches are held a little, and sent before a call that comes `after` their key.
        """
        call = Call(verb, do, is_essential, after, is_on_disk)
        with self._changed:
            if self._has_given_up:
                call.done.set()
                return call
            self._calls.append(call)
            self._replace_many()
            self._changed.notify_all()
            if self._thread is None:
                self._thread = Thread(target=self._work, name="recorder", daemon=True)
                self._thread.start()
        return call

    def make_again_with(self, do: Callable[[], Any]) -> None:
        """What makes all calls that are on disk: it takes their place when too many of them wait."""
        self._again = do

    def _replace_many(self) -> None:
        if self._again is None or len(self._calls) <= _MOST_WAITING:
            return
        waiting = [call for call in self._calls if call.is_on_disk and call not in self._under_way]
        if len(waiting) <= _MOST_WAITING // 2:  # the others cannot be made again
            return
        for call in waiting:
            call.done.set()
        gone = set(map(id, waiting))
        self._calls = deque(call for call in self._calls if id(call) not in gone)
        if not any(call.do is self._again and call not in self._under_way for call in self._calls):
            self._calls.append(Call("sync", self._again))

    def wait_for(self, call: Call, seconds: float, *, num_tries: int = _LAST_TRIES) -> None:
        """Wait until the call is done, this much time is over, or the other side was away this often in a row."""
        with self._changed:
            self._wait(
                lambda: call.done.is_set() or self._num_failures >= num_tries or self._deadline < math.inf, seconds
            )

    def hurry(self, seconds: float) -> None:
        """End every wait but that of `close`, which has so long from now on. May be called in a signal handler."""
        with self._changed:
            self._deadline = min(self._deadline, time.monotonic() + seconds)
            self._least_seconds = min(seconds, _LAST_SECONDS)
            self._changed.notify_all()

    def _wait(self, is_over: Callable[[], bool], seconds: float) -> None:
        """Wait for the condition, holding its lock; `hurry` shortens a wait that has begun."""
        end = time.monotonic() + seconds
        while not is_over() and (left := min(end, self._deadline) - time.monotonic()) > 0:
            self._changed.wait(left)

    def close(self, verb: str, do: Callable[[], Any], timeout_seconds: float) -> list[str]:
        """Make a last call; what was refused or not made, as sentences. Tries a few times, never past the timeout."""
        call = self.put(verb, do)
        with self._changed:
            self._is_closing, self._num_failures = True, 0
            self._changed.notify_all()
        with self._changed:
            if self._deadline < math.inf:  # what went on meanwhile may have taken all of it; the last call is short
                self._deadline = max(self._deadline, time.monotonic() + self._least_seconds)
            self._wait(call.done.is_set, timeout_seconds)
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
                calls = "1 call was" if len(self._calls) == 1 else f"{len(self._calls)} calls were"
                self._sentences.append(
                    f"The record is not complete: {calls} not made{reason}. All of it is on "
                    "disk, and the next 'ftsweep run' of this study sends it."
                )
            for call in self._calls:
                call.done.set()
            self._calls.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            group = self._take()
            if not group:
                return
            first, began = group[0], time.monotonic()
            try:
                if isinstance(first.do, Batch):
                    first.do.send([item for call in group for item in call.do.items])  # type: ignore[union-attr]
                    ended = time.monotonic()
                    self._next_batch = ended + (ended - began) * (1 / _BATCH_SHARE - 1)
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

    def _take(self) -> list[Call]:
        """Wait for calls that may be made now; none when the queue has given up."""
        with self._changed:
            while not self._has_given_up:
                self._under_way = self._group()
                if self._under_way:
                    return self._under_way
                self._changed.wait(max(0.0, self._next_batch - time.monotonic()) if self._calls else None)
            return []

    def _group(self) -> list[Call]:
        """The first call that is not held; with a batch all of its key, up to a call that comes after them."""
        is_holding = not self._is_closing and self._deadline == math.inf and time.monotonic() < self._next_batch
        for call in self._calls:
            key = call.do.key if isinstance(call.do, Batch) else call.after
            if isinstance(call.do, Batch) and is_holding:
                continue
            return self._batches(key) or [call]
        return []

    def _batches(self, key: str | None) -> list[Call]:
        """The batches of a key, up to the first call that comes after them."""
        found: list[Call] = []
        for call in self._calls if key is not None else ():
            if call.after == key:
                break
            if isinstance(call.do, Batch) and call.do.key == key:
                found.append(call)
        return found

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
            self._under_way = []
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
