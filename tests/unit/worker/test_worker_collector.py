"""No trial has the collector go through what stays, and nothing of a trial or of a base that was given up stays."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from ftsweep.worker import base_models
from ftsweep.worker.components import Components
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

MakeJob = Callable[..., dict[str, Any]]


def train(engine: Engine, job: dict[str, Any]) -> None:
    engine.admit(job)
    while True:
        for message in engine.step():
            assert message["type"] != "failed", message
            if message["type"] == "ended":
                return
            engine.answer({"type": "continue", "job": job["job"]})


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Any]]:
    """The run, its model and the base of every trial, as long as they live."""
    found: list[weakref.ref[Any]] = []
    real = Components.begin_run

    def begin_run(self: Components, parts: Any, base: Any, *rest: Any, **more: Any) -> Any:
        run = real(self, parts, base, *rest, **more)
        base.model.itself = [base.model]  # a cycle, as hooks can make one: counting references does not find it
        found.extend(map(weakref.ref, (run, run.model, base.model)))
        return run

    monkeypatch.setattr(Components, "begin_run", begin_run)
    return found


def test_what_stays_is_frozen_and_what_a_trial_made_is_gone(make_job: MakeJob, seen: list[weakref.ref[Any]]) -> None:
    engine = Engine(threads=1)
    for number in range(2):
        train(engine, make_job(name=f"trial-{number:04d}"))
        assert gc.get_freeze_count() > len(gc.get_objects()), "the next collection would go through everything"
        run, model, base = seen[-3:]
        assert (run(), model()) == (None, None)
        assert base() is not None


@pytest.mark.usefixtures("unfreezing")
def test_base_that_was_given_up_is_gone_though_it_was_frozen(
    make_job: MakeJob, seen: list[weakref.ref[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "_MAX_SHARE", 0.0)
    engine = Engine(threads=1)
    train(engine, make_job(name="trial-0000"))
    other = make_job(name="trial-0001")
    other["spec"]["config"]["model"]["dtype"] = "bfloat16"
    train(engine, other)
    first, second = seen[2], seen[5]
    assert first() is None
    assert second() is not None
