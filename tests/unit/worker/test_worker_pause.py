"""A paused trial frees its worker and goes on later, on any worker, as if it had never been paused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftsweep.store.atomic import remove_folder
from ftsweep.store.folders import TrialFolder
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

Job = dict[str, Any]
MakeJob = Callable[..., Job]


def train(engine: Engine, job: Job, *, pause_after: int | None = None, at_rung: bool = True) -> Job:
    """Run a trial to its end; after so many measurements it is paused, waiting at the rung or a step later."""
    engine.admit(job)
    num_measured = 0
    while True:
        for message in engine.step():
            if message["type"] == "ended":
                return message
            num_measured += 1
            is_last = num_measured == pause_after
            if not (is_last and at_rung):
                engine.answer({"type": "continue", "job": job["job"]})
            if is_last:
                messages = [] if at_rung else engine.step()
                assert messages == []
                engine.answer({"type": "pause", "job": job["job"]})


@pytest.mark.parametrize(
    ("pause_after", "at_rung", "is_dropped"), [(1, True, False), (3, True, False), (2, False, False), (3, True, True)]
)
def test_paused_trial_goes_on_to_the_same_numbers(
    make_job: MakeJob, config: dict[str, Any], pause_after: int, at_rung: bool, is_dropped: bool
) -> None:
    """Also where its checkpoint was removed for want of disk, and it begins anew."""
    config["strategy"]["dropout"] = 0.2  # so that the generators' state matters
    engine = Engine(threads=1)
    train(engine, make_job(name="trial-0000"))
    job = make_job(name="trial-0001")
    paused = train(engine, job, pause_after=pause_after, at_rung=at_rung)
    folder = TrialFolder(Path(job["folder"]))
    assert paused["outcome"] is None
    assert folder.outcome() is None
    assert folder.checkpoint.exists()
    assert not engine.is_busy
    train(engine, make_job(name="trial-0002"))  # the worker is free for others meanwhile
    if is_dropped:
        remove_folder(folder.checkpoint)
    ended = train(engine, job)
    assert ended["outcome"]["kind"] == "complete"
    assert not folder.checkpoint.exists()
    undisturbed = TrialFolder(Path(make_job(name="trial-0000")["folder"]))
    assert [m.values for m in folder.measurements()] == [m.values for m in undisturbed.measurements()]
    weights = [each.best / "adapter_model.safetensors" for each in (folder, undisturbed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_pause_that_comes_too_late_changes_nothing(make_job: MakeJob) -> None:
    engine = Engine(threads=1)
    ended = train(engine, make_job())
    engine.answer({"type": "pause", "job": "trial-0000"})
    assert ended["outcome"]["kind"] == "complete"
    assert not engine.is_busy
