"""Rungs wait for each other, so that a fast study writes few times; nothing waits longer than its trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

import pytest

from ftsweep.recording import call_queue
from ftsweep.recording.base import RecorderAwayError
from ftsweep.recording.call_queue import Batch, CallQueue


class Sent:
    """What a queue has sent, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.queue = CallQueue()

    def batch(self, key: str, item: int) -> None:
        def send(items: Sequence[Any]) -> None:
            self.calls.append((key, list(items)))

        self.queue.put("measure", Batch(key, (item,), send), is_on_disk=True)

    def call(self, name: str, **settings: Any) -> Event:
        return self.queue.put(name, lambda: self.calls.append((name, None)), **settings).done

    def close(self) -> list[str]:
        return self.queue.close("close", lambda: None, 30)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """A queue that has just sent a batch, and holds the next ones for as long as the test lasts."""
    sent = Sent()
    sent.batch("warm up", 0)
    assert sent.call("mark", after="warm up").wait(30)
    sent.calls.clear()
    sent.queue._next_batch = float("inf")
    monkeypatch.setattr(CallQueue, "_take", _patient(CallQueue._take))
    return sent


def _patient(real: Callable[[CallQueue], Any]) -> Callable[[CallQueue], Any]:
    def take(queue: CallQueue) -> Any:
        if queue._next_batch == float("inf"):
            queue._next_batch = 1e9  # Condition.wait takes no infinity
        return real(queue)

    return take


def test_rungs_of_a_trial_are_one_batch_that_goes_before_its_end(held: Sent) -> None:
    for rung in range(3):
        held.batch("trial-0000", rung)
        held.batch("trial-0001", rung)
        assert held.call(f"begin {rung}").wait(30)  # what is no batch is not held
    assert held.call("end", after="trial-0000").wait(30)
    begun = [(f"begin {rung}", None) for rung in range(3)]
    assert held.calls == [*begun, ("trial-0000", [0, 1, 2]), ("end", None)]
    assert held.close() == []
    assert held.calls[5:] == [("trial-0001", [0, 1, 2])]


def test_rung_after_the_end_does_not_travel_with_those_before_it(held: Sent) -> None:
    held.batch("trial-0000", 0)
    ended = held.call("end", after="trial-0000")
    held.batch("trial-0000", 1)
    assert ended.wait(30)
    assert held.close() == []
    assert held.calls == [("trial-0000", [0]), ("end", None), ("trial-0000", [1])]


def test_batches_take_their_share_of_the_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(call_queue.time, "monotonic", lambda: now[0])
    sent = Sent()

    def slow(items: Sequence[Any]) -> None:
        now[0] += 2.0

    sent.queue.put("measure", Batch("a", (1,), slow))
    assert sent.call("mark", after="a").wait(30)
    assert sent.queue._next_batch == pytest.approx(102.0 + 2.0 * (1 / call_queue._BATCH_SHARE - 1))


def test_what_waits_for_a_server_that_is_away_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_queue, "_MOST_WAITING", 20)
    monkeypatch.setattr(call_queue, "_FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(call_queue, "_LONGEST_WAIT_SECONDS", 0.01)
    is_back = Event()
    sent = Sent()
    sent.queue.make_again_with(lambda: sent.calls.append(("sync", None)))

    def open_() -> None:
        if not is_back.is_set():
            raise RecorderAwayError("gone")
        sent.calls.append(("open", None))

    sent.queue.put("open", open_)
    for number in range(500):
        if number % 10 == 0:
            sent.call(f"begin {number}")
        sent.batch(f"trial-{number}", 0)
        sent.call("end", after=f"trial-{number}", is_on_disk=True)
        assert len(sent.queue._calls) <= 20 + number // 10 + 12
    is_back.set()
    assert sent.close() == []
    names = [name for name, _ in sent.calls]
    assert names.count("sync") >= 1
    assert [name for name in names if name.startswith("begin")] == [f"begin {number}" for number in range(0, 500, 10)]
    assert names.index("sync") > names.index("begin 0")
