"""A user who wants to stop waits for no record: neither for one that is slow to open, nor for the last of it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest

from ftsweep.recording.background import BackgroundRecorder
from ftsweep.recording.base import Recorder, StudyFacts
from ftsweep.store.folders import Store
from ftsweep.testing.recorder import study_facts

PATIENCE_SECONDS = 20.0  # far below the waits that are cut short


class Slow(Recorder):
    """Takes for ever over one call."""

    def __init__(self, verb: str) -> None:
        self.verb, self.go = verb, Event()

    def open(self, facts: StudyFacts) -> None:
        self._take("open")

    def register(self, model: Any) -> str | None:
        self._take("register")
        return "models:/late"

    def close(self, *, finished: bool) -> list[str]:
        self._take("close")
        return []

    def _take(self, verb: str) -> None:
        if verb == self.verb:
            self.go.wait()


@pytest.fixture
def alarm() -> Iterator[Any]:
    """Has a real signal arrive soon, whose handler does what it is given."""

    def arrive(action: Any) -> None:
        signal.signal(signal.SIGALRM, lambda *_: action())
        signal.setitimer(signal.ITIMER_REAL, 0.05)

    before = signal.getsignal(signal.SIGALRM)
    yield arrive
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("verb", ["open", "register", "close"])
def test_signal_ends_a_wait_that_has_begun(tmp_path: Any, alarm: Any, verb: str) -> None:
    slow = Slow(verb)
    recorder = BackgroundRecorder(slow, open_seconds=600, register_seconds=600, close_seconds=600)
    facts = study_facts(Store(tmp_path).study("small"))
    started = time.monotonic()
    alarm(lambda: recorder.hurry(0.2))
    recorder.open(facts)
    if verb == "register":
        assert recorder.register(None) is None  # type: ignore[arg-type]
    sentences = recorder.close(finished=False)
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert any("the next 'ftsweep run' of this study sends it" in sentence for sentence in sentences)
    slow.go.set()


def test_record_that_keeps_up_is_closed_whole_after_a_signal(tmp_path: Any, alarm: Any) -> None:
    recorder = BackgroundRecorder(Slow("never"))
    recorder.open(study_facts(Store(tmp_path).study("small")))
    recorder.hurry(PATIENCE_SECONDS)
    assert recorder.close(finished=False) == []
