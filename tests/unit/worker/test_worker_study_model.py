"""A trial that starts from an earlier study's best model keeps no tie to that study."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftsweep.serving.model import load_predictor
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

Config = dict[str, Any]
MakeJob = Callable[..., dict[str, Any]]


def answer(engine: Engine, job: dict[str, Any]) -> dict[str, Any]:
    engine.admit(job)
    while True:
        for message in engine.step():
            if message["type"] == "ended":
                return message
            engine.answer({"type": "continue", "job": job["job"]})


@pytest.fixture
def earlier(config: Config, make_job: MakeJob, tmp_path: Path) -> Path:
    """A study whose winner is an adapter with a head for the same labels; its folder."""
    engine, folder = Engine(threads=1), tmp_path / "studies" / "earlier"
    config["rungs"]["count"] = 1
    job = make_job()
    answer(engine, job)
    answer(engine, make_job("export", "export-0000", folder=job["folder"], destination=str(folder / "model")))
    (folder / "sweep.yaml").write_text("")
    return folder


@pytest.mark.parametrize("strategy", ["lora.Lora", "head.LinearProbe"])
def test_chosen_model_answers_after_the_study_it_came_from_is_gone(
    strategy: str, earlier: Path, config: Config, make_job: MakeJob, tmp_path: Path
) -> None:
    config["model"] = {
        "_target_": "ftsweep.models.StudyModel",
        "study": "earlier",
        "store": str(tmp_path),
        "dtype": "auto",
    }
    config["strategy"] = {"_target_": f"ftsweep.strategies.{strategy}"}
    config["training"]["epochs"] = 0.2
    config["rungs"]["count"] = 1
    engine, job = Engine(threads=1), make_job(name="trial-0001")
    prepared = answer(engine, make_job("prepare", "prepare-main"))["result"]
    assert "model" in prepared["texts"], "another winner of that study would be noticed"
    answer(engine, job)
    destination = tmp_path / "exported"
    exported = answer(engine, make_job("export", "export-0001", folder=job["folder"], destination=str(destination)))
    assert (destination / "config.json").is_file()
    shutil.rmtree(earlier)
    shutil.rmtree(tmp_path / "cache")
    predictor = load_predictor(destination, allowed=())
    assert predictor.predict(exported["result"]["rows"]) == exported["result"]["answers"]


def test_head_of_the_earlier_study_is_where_the_same_task_begins(
    earlier: Path, config: Config, make_job: MakeJob, tmp_path: Path
) -> None:
    from_scratch = first_loss(make_job("train", "trial-0001"))
    config["model"] = {
        "_target_": "ftsweep.models.StudyModel",
        "study": "earlier",
        "store": str(tmp_path),
        "dtype": "auto",
    }
    learned = first_loss(make_job("train", "trial-0002"))
    assert learned < 0.9 * from_scratch
    baseline = answer(Engine(threads=1), make_job("baseline", "baseline-main"))["result"]
    assert baseline["validation"]["loss"] == pytest.approx(learned, abs=1e-5), "not the prior of a new head"


def first_loss(job: dict[str, Any]) -> float:
    engine = Engine(threads=1)
    engine.admit(job)
    (message,) = engine.step()
    return float(message["measurement"]["values"]["validation/loss"])
