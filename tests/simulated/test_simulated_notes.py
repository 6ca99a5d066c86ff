"""What an executor says of its places: a person who watches sees it, and no longer than it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ftsweep.control.jobs import Stopped
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.study_state import StudyState

MakeSweep = Callable[..., LiveStudy]
REFUSED = "node b gets no slot 'b cpu 0': it has ftsweep 0.1 (here 0.2)"
WAITING = "no node is left that holds a slot: the study waits for one to join"


def log(level: str, text: str) -> dict[str, Any]:
    return {"type": "log", "job": None, "level": level, "text": text, "worker": "b cpu 0"}


def test_refused_place_is_told_to_the_end_and_waiting_until_trials_go_on(make_sweep: MakeSweep) -> None:
    live = make_sweep(trials=3)
    notes: list[str] = []

    def watch(state: StudyState) -> None:
        notes.append(state.note)

    live.monitor.watch = watch
    live.prepare()
    live.measure_baselines()
    said = iter([[log("error", REFUSED)], [log("warning", WAITING)]])
    poll = live.executor.poll
    live.executor.poll = lambda seconds: next(said, None) or poll(seconds)  # type: ignore[method-assign]
    live.search()
    assert f"Node{REFUSED.removeprefix('node')}." in notes
    assert any(note.endswith("No node is left that holds a slot: the study waits for one to join.") for note in notes)
    assert notes[-1] == f"Node{REFUSED.removeprefix('node')}."


def test_study_that_is_stopped_before_its_search_tells_the_trials_that_it_has(make_sweep: MakeSweep) -> None:
    first = make_sweep(trials=3)
    first.prepare()
    first.measure_baselines()
    first.search()
    again = make_sweep(trials=5)
    again.stop()
    with pytest.raises(Stopped):
        again.prepare()
    again.recall()
    assert again.snapshot("stopped").num_ended == 3
