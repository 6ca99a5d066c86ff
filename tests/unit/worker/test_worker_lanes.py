"""Trials that are under way at once in one worker: each comes to what it comes to alone, and fails alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from training_rows import sentences, write_rows

from ftsweep.store.folders import TrialFolder
from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.training.step import Stepper
from ftsweep.worker.base_models import BaseModels
from ftsweep.worker.engine import Engine

Job = dict[str, Any]
Config = dict[str, Any]
MakeJob = Callable[..., Job]

LORA = {"_target_": "ftsweep.strategies.lora.Lora", "rank": 2, "dropout": 0.2}
FULL = {"_target_": "ftsweep.strategies.full.Full"}


@pytest.fixture
def make_trial(config: Config, make_job: MakeJob, tmp_path: Path) -> MakeJob:
    """Jobs on a random decoder with dropout of its own; each has its strategy and training settings."""
    folder = tmp_path / "llama"
    random_llama(attention_dropout=0.1).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    config["model"] = {"_target_": "ftsweep.models.local.LocalModel", "path": str(folder), "dtype": "auto"}
    config["rungs"]["count"] = 2
    config["data"]["train"] = write_rows(tmp_path / "train.jsonl", sentences(32))

    def make(name: str, strategy: Config, *, kind: str = "train", **training: Any) -> Job:
        job = make_job(kind, name)
        own = {**config, "strategy": strategy, "training": {**config["training"], **training}}
        return {**job, "spec": {**job["spec"], "config": json.loads(json.dumps(own))}}

    return make


def run(engine: Engine, *jobs: Job) -> dict[str, Job]:
    """All jobs at once, to their ends; the last message of each."""
    for job in jobs:
        engine.admit(job)
    last: dict[str, Job] = {}
    while engine.is_busy:
        for message in engine.step():
            if message["type"] == "measured":
                engine.answer({"type": "continue", "job": message["job"]})
            else:
                last[message["job"]] = message
    return last


def bits(job: Job) -> tuple[list[dict[str, float]], bytes]:
    """What a trial measured, and the weights that it kept."""
    folder = TrialFolder(Path(job["folder"]))
    (weights,) = folder.best.glob("*.safetensors")
    return [dict(each.values) for each in folder.measurements()], weights.read_bytes()


def test_trials_beside_each_other_come_to_what_they_come_to_alone(make_trial: MakeJob) -> None:
    alone = [make_trial("trial-0000", LORA), make_trial("trial-0001", FULL, learning_rate=1e-3, batch_size=4)]
    for job in alone:
        run(Engine(threads=1), job)
    beside = [make_trial("trial-0002", LORA), make_trial("trial-0003", FULL, learning_rate=1e-3, batch_size=4)]
    engine = Engine(threads=1, lanes=2)
    run(engine, *beside)
    again = make_trial("trial-0004", LORA)  # on a base that was lent to both
    run(engine, again)
    assert [bits(job) for job in beside] == [bits(job) for job in alone]
    assert bits(again) == bits(alone[0])
    assert not engine.is_spent


def test_another_job_between_two_steps_does_not_touch_the_dropout_of_a_trial(make_trial: MakeJob) -> None:
    alone = make_trial("trial-0000", LORA)
    run(Engine(threads=1), alone)
    beside, engine = make_trial("trial-0001", LORA), Engine(threads=1, lanes=2)
    engine.admit(beside)
    engine.step()
    engine.answer({"type": "continue", "job": "trial-0001"})
    engine.step()
    ended = run(engine, make_trial("estimate-main", LORA, kind="estimate"))
    assert set(ended) == {"trial-0001", "estimate-main"}
    assert bits(beside) == bits(alone)


def test_a_drained_neighbour_goes_on_with_its_own_dropout(make_trial: MakeJob) -> None:
    alone = make_trial("trial-0000", LORA)
    run(Engine(threads=1), alone)
    jobs = [make_trial("trial-0001", LORA), make_trial("trial-0002", LORA, learning_rate=1e-2)]
    drained = Engine(threads=1, lanes=2)
    for job in jobs:
        drained.admit(job)
    for _ in range(7):
        for message in drained.step():
            drained.answer({"type": "continue", "job": message["job"]})
    drained.drain()
    run(Engine(threads=1), jobs[0])
    assert bits(jobs[0]) == bits(alone)


def test_a_trial_that_fails_ends_alone_and_the_worker_is_spent(
    make_trial: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = make_trial("trial-0000", LORA)
    run(Engine(threads=1), alone)
    real = Stepper.take

    def broken(self: Stepper) -> None:
        if self.settings.learning_rate == 7e-3 and self.num_steps == 3:
            raise ValueError("no such column")
        real(self)

    monkeypatch.setattr(Stepper, "take", broken)
    sound, failing = make_trial("trial-0001", LORA), make_trial("trial-0002", LORA, learning_rate=7e-3)
    engine = Engine(threads=1, lanes=2)
    last = run(engine, sound, failing)
    assert (last["trial-0002"]["type"], last["trial-0002"]["message"]) == ("failed", "no such column")
    assert TrialFolder(Path(failing["folder"])).outcome() is None
    assert last["trial-0001"]["outcome"]["kind"] == "complete"
    assert bits(sound) == bits(alone)
    assert engine.is_spent


def test_a_trial_that_does_not_fit_beside_another_waits_for_it_and_is_not_called_infeasible(
    make_trial: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BaseModels.look_at

    def small(self: BaseModels, *args: Any, **settings: Any) -> Any:
        if any(base.is_lent for base in self._bases):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return real(self, *args, **settings)

    monkeypatch.setattr(BaseModels, "look_at", small)
    jobs = [make_trial(f"trial-{number:04d}", FULL) for number in range(2)]
    engine = Engine(threads=1, lanes=2)
    last = run(engine, *jobs)
    assert [last[job["job"]]["outcome"]["kind"] for job in jobs] == ["complete", "complete"]
    assert bits(jobs[0]) == bits(jobs[1])
    assert not engine.is_spent


def test_an_engine_takes_no_more_jobs_than_it_has_lanes(make_trial: MakeJob) -> None:
    engine = Engine(threads=1)
    assert (engine.num_lanes, engine.describe()["lanes"]) == (1, 1)
    engine.admit(make_trial("trial-0000", LORA))
    with pytest.raises(RuntimeError, match="trial-0001 came while trial-0000 took every lane"):
        engine.admit(make_trial("trial-0001", LORA))
