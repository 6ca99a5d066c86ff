"""A run on a part of train trains on that part alone, whatever was cached of the whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftsweep.store.folders import TrialFolder
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

PROBE = {"_target_": "ftsweep.strategies.LinearProbe"}


def train(engine: Engine, job: dict[str, Any]) -> TrialFolder:
    engine.admit(job)
    while engine.is_busy or engine.is_waiting:
        engine.answer({"type": "continue", "job": job["job"]})
        engine.step()
    return TrialFolder(Path(job["folder"]))


@pytest.mark.parametrize("strategy", [None, PROBE])
def test_a_share_of_train_is_what_it_learns_from(
    make_job: Callable[..., dict[str, Any]], config: dict[str, Any], strategy: dict[str, Any] | None
) -> None:
    config["strategy"] = strategy or config["strategy"]
    engine = Engine()
    whole, part = make_job(name="trial-0000"), make_job(name="quantity-0000-050-1")
    part["spec"] = {**part["spec"], "train_share": 0.5}
    curves = {name: train(engine, job).measurements() for name, job in (("whole", whole), ("part", part))}
    assert [curve[-1].num_examples for curve in curves.values()] == [120, 60]
    starts = [curve[0].values for curve in curves.values()]
    assert starts[0]["validation/loss"] == pytest.approx(starts[1]["validation/loss"], rel=1e-5)
    assert starts[0]["train/loss"] != starts[1]["train/loss"], "its probe of train is of its own rows"
