"""A study killed inside of a stage: the same command goes on, to the same values."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from e2e_place import Place, make_place

DEADLINE_SECONDS = 100

STAGED = """\
# ftsweep run staged.yaml
defaults:
  - base
  - model: tiny
  - data: files
  - task: classification
  - strategy: lora
  - data@stages.domain.data: pydocs
  - task@stages.domain.task: text
  - strategy@stages.domain.strategy: full
  - _self_
data: {train: rows.jsonl, validation_fraction: 0.2, test_fraction: 0.2}
task: {max_length: 24}
strategy: {rank: 2}
training: {learning_rate: 5e-3, batch_size: 8, epochs: 1}
budget: {trials: 2}
rungs: {count: 2}
executor: {threads: 1}
recording: {system_metrics: false}
guards: {small_data: allow}
selection: {seeds: 0}
stages:
  domain:
    data: {limit: 300}
    task: {max_length: 128}
    training: {learning_rate: 5e-4, batch_size: 4, epochs: 1}
space:
  training:
    learning_rate: {low: 1e-4, high: 1e-2, log: true}
"""


def make_staged(folder: Path) -> Place:
    place = make_place(folder)
    (folder / "staged.yaml").write_text(STAGED, encoding="utf-8")
    return place


def told(place: Place) -> dict[str, Any]:
    """What trials measured, and what their stage did, without times."""
    found: dict[str, Any] = {}
    for trial in sorted((place.study("staged") / "trials").glob("[0-9]*")):
        lines = (trial / "measurements.jsonl").read_text(encoding="utf-8").splitlines()
        measured = [json.loads(line.rpartition("\t")[0]) for line in lines]
        extra = json.loads((trial / "outcome.json").read_text(encoding="utf-8"))["extra"]
        found[trial.name] = ([entry["values"] for entry in measured], extra["metrics"])
    return found


def is_inside_of_the_stage(place: Place, num_begun: int) -> bool:
    """Whether the first trial was begun so often, and its stage trains."""
    log = place.study("staged") / "trials" / "0000" / "worker.log"
    if not log.exists() or log.read_text(encoding="utf-8").count("trial-0000 begins (train)") < num_begun:
        return False
    return bool(list((place.folder / "mlruns" / "cache" / "stages").glob("*.run/measurements.jsonl")))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_killed_inside_of_a_stage_goes_on_to_the_same_values(tmp_path: Path) -> None:
    undisturbed = make_staged(tmp_path / "undisturbed")
    done = undisturbed.run("run", "staged.yaml")
    assert done.returncode == 0, done.stderr

    place = make_staged(tmp_path / "killed")
    for num_begun, kill in enumerate((signal.SIGKILL, signal.SIGTERM), start=1):  # without a checkpoint, then with one
        control = place.start("run", "staged.yaml")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_inside_of_the_stage(place, num_begun):
            assert control.poll() is None, control.communicate()
            assert time.monotonic() < deadline, "the stage did not begin"
            time.sleep(0.01)  # a file has no event to wait for
        os.kill(control.pid, kill)
        control.communicate(timeout=DEADLINE_SECONDS)
    assert not list((place.folder / "mlruns" / "cache" / "stages").glob("*/stage.json")), "it was killed inside"
    done = place.run("run", "staged.yaml")
    assert done.returncode == 0, done.stderr
    assert told(place) == told(undisturbed)
    assert len(list((place.folder / "mlruns" / "cache" / "stages").glob("*/stage.json"))) == 1
