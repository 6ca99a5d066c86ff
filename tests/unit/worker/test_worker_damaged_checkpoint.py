"""A checkpoint that is cut, spoiled or gone costs the work since the trial began, never the result."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftsweep.store.folders import TrialFolder
from ftsweep.training import checkpoint
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

MakeJob = Callable[..., dict[str, Any]]


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def spoil_header(file: Path) -> None:
    file.write_bytes(b"\xff" * 16 + file.read_bytes()[16:])


def drop(file: Path) -> None:
    file.unlink()


def train(job: dict[str, Any], *, until: int = 4) -> TrialFolder:
    """Train to a rung and vanish there, as after kill -9; or to the end."""
    engine = Engine(threads=1)
    engine.admit(job)
    while True:
        for message in engine.step():
            if message["type"] == "ended":
                return TrialFolder(Path(job["folder"]))
            if message["measurement"]["rung"] == until < 4:
                return TrialFolder(Path(job["folder"]))
            engine.answer({"type": "continue", "job": job["job"]})


def values(folder: TrialFolder) -> list[dict[str, float]]:
    return [dict(measurement.values) for measurement in folder.measurements()]


DAMAGES = (
    ("weights.safetensors", cut),
    ("optimizer.safetensors", spoil_header),
    ("generators.safetensors", empty),
    ("progress.json", drop),
)


def test_trial_with_a_damaged_checkpoint_begins_anew_and_ends_the_same(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", math.inf)  # a checkpoint at every rung
    undisturbed = train(make_job(name="trial-0000"))
    killed = train(make_job(name="killed"), until=2)
    for number, (name, damage) in enumerate(DAMAGES, start=1):
        job = make_job(name=f"trial-{number:04d}")
        folder = TrialFolder(Path(shutil.copytree(killed.path, job["folder"])))
        damage(folder.checkpoint / name)
        train(job)
        assert values(folder) == values(undisturbed), name
        assert len(folder.measurements_file.read_text().splitlines()) == 5, f"{name}: a rung was measured twice"
        outcome = folder.outcome()
        assert outcome is not None
        assert outcome.kind == "complete"
