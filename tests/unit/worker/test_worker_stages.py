"""Stages before a trial: made once, shared, continued after a kill, measured, and gone from an exported model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_steps import step
from safetensors.torch import load_file
from training_rows import sentences, write_rows

from ftsweep.domain.trial import OutcomeKind
from ftsweep.errors import ModelError
from ftsweep.serving.model import load_predictor
from ftsweep.store.folders import TrialFolder
from ftsweep.testing.random_models import byte_tokenizer, random_bert, random_llama
from ftsweep.worker import stage_cache
from ftsweep.worker.engine import Engine
from ftsweep.worker.stage_cache import StageResult

Job = dict[str, Any]
MakeJob = Callable[..., Job]

TEXT = {"_target_": "ftsweep.tasks.Text", "max_length": 64, "packed": True}
FULL = {"_target_": "ftsweep.strategies.Full"}
LORA = {"_target_": "ftsweep.strategies.Lora", "rank": 2}


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two random layers: what these tests are about does not depend on what a model knows."""
    folder = tmp_path_factory.mktemp("model")
    random_llama().save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return {"_target_": "ftsweep.models.LocalModel", "path": str(folder), "dtype": "auto"}


@pytest.fixture
def staged(config: dict[str, Any], tmp_path: Path, small_model: dict[str, Any]) -> dict[str, Any]:
    """The config with a stage on sixty sentences, and general text of its own."""
    pages = write_rows(tmp_path / "pages.jsonl", [{"text": page(n, "the old harbour sleeps")} for n in range(40)])
    general = write_rows(tmp_path / "general.jsonl", [{"text": page(n, "nothing much happens")} for n in range(20)])
    config["model"] = small_model
    config["training"] |= {"epochs": 1, "batch_size": 16}
    config["rungs"]["count"] = 1
    config["general"] = {"_target_": "ftsweep.data.Files", "train": general}
    config["stages"]["domain"] = {
        "data": {"_target_": "ftsweep.data.Files", "train": pages},
        "task": dict(TEXT),
        "strategy": dict(FULL),
        "training": {**config["training"], "learning_rate": 1e-3, "batch_size": 2, "replay": 0.2},
    }
    return config


def page(number: int, about: str) -> str:
    """A text of its own: words and not digits tell it from others, for digits are masked when texts are compared."""
    word = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return f"In {word} {about}, and {word} does not mind"


def finish(engine: Engine, job: Job) -> Job:
    """Run a job to its end; the last message."""
    engine.admit(job)
    while True:
        for message in step(engine):
            if message["type"] == "ended":
                return message
            engine.answer({"type": "continue", "job": job["job"]})


def results(job: Job) -> list[Path]:
    return sorted(path.parent for path in (Path(job["cache"]) / "stages").glob("*/stage.json"))


def weights_of(job: Job) -> dict[str, Any]:
    (folder,) = results(job)
    return {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}


def test_a_trial_stands_on_its_stage_and_tells_what_that_did(engine: Engine, staged: Job, make_job: MakeJob) -> None:
    job = make_job()
    extra = finish(engine, job)["outcome"]["extra"]
    stage = extra["stages"]["domain"]
    assert stage["after"]["own"]["loss"] < stage["before"]["own"]["loss"]
    assert extra["metrics"]["domain/perplexity_after"] == stage["after"]["own"]["perplexity"]
    assert extra["metrics"]["general/loss_before"] == stage["before"]["general"]["loss"]
    assert "general/loss" not in extra["metrics"], "the trial's own task predicts no text"
    measured = TrialFolder(Path(job["folder"])).measurements()
    assert measured[0].train_seconds == pytest.approx(stage["train_seconds"], abs=1e-3), "the stage's time counts"
    assert extra["train_seconds"] == pytest.approx(measured[-1].train_seconds, abs=2e-3)
    (folder,) = results(job)
    assert not folder.with_name(f"{folder.name}.run").exists()

    direct = make_job(name="trial-0001")
    direct["spec"] = {**direct["spec"], "config": {**staged, "stages": {}}}
    finish(engine, direct)
    start = TrialFolder(Path(direct["folder"])).measurements()[0]
    assert start.values != measured[0].values, "it starts from other weights"


def test_trials_that_agree_in_their_stages_share_one_result(engine: Engine, staged: Job, make_job: MakeJob) -> None:
    first = finish(engine, make_job(name="trial-0000"))["outcome"]["extra"]
    staged["training"]["learning_rate"] = 1e-4
    job = make_job(name="trial-0001")
    second = finish(engine, job)["outcome"]["extra"]
    assert first["stages"] == second["stages"]
    assert len(results(job)) == 1
    paid = TrialFolder(Path(job["folder"])).measurements()[0].train_seconds
    assert paid == 0.0, "the second trial pays nothing"
    assert second["train_seconds"] > second["stages"]["domain"]["train_seconds"], "but its approach costs it"

    again = make_job(name="confirmation-0001-1")  # a fresh seed for the trial, the study's for its stage
    stage = {**staged["stages"]["domain"], "seed": staged["seed"]}
    changed = {**staged, "seed": {**staged["seed"], "model": 1001}, "stages": {"domain": stage}}
    again["spec"] = {**again["spec"], "config": changed}
    finish(engine, again)
    assert len(results(job)) == 1

    staged["stages"]["domain"]["training"]["learning_rate"] = 2e-3
    finish(engine, make_job(name="trial-0002"))
    assert len(results(job)) == 2


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_stage_killed_on_its_way_goes_on_to_the_same_weights(
    staged: Job, make_job: MakeJob, tmp_path: Path, checkpoint: bool
) -> None:
    undisturbed = make_job(name="trial-0000", cache=str(tmp_path / "other"))
    expected = finish(Engine(threads=1), undisturbed)["outcome"]["extra"]["metrics"]

    job = make_job(name="trial-0001")
    killed = Engine(threads=1)
    killed.admit(job)
    for _ in range(4):
        assert killed.step() == []
    if checkpoint:
        killed.drain()
    (under_way,) = killed._jobs.values()
    under_way._chain._run.lock.release()  # the system does this for a dead process
    told = finish(Engine(threads=1), job)["outcome"]["extra"]["metrics"]
    assert told == expected
    left, right = weights_of(job), weights_of(undisturbed)
    assert all(left[name].equal(right[name]) for name in left)
    trials = [TrialFolder(Path(each["folder"])).measurements()[-1].values for each in (job, undisturbed)]
    assert trials[0] == trials[1]


def test_a_result_that_another_worker_makes_is_waited_for(
    engine: Engine, staged: Job, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftsweep.worker.engine.WAIT_SECONDS", 0.0)
    other = Engine(threads=1)
    other.admit(make_job(name="trial-0000"))
    for _ in range(3):
        other.step()
    engine.admit(make_job(name="trial-0001"))
    for _ in range(3):
        assert engine.step() == []
    assert engine.num_steps == 0, "it has not begun a run of its own"
    while not other.is_waiting:
        other.step()
    while not engine.is_waiting:
        engine.step()
    assert len(results(make_job())) == 1


def test_an_exported_adapter_on_a_stage_is_one_whole_model(
    engine: Engine, staged: Job, make_job: MakeJob, tmp_path: Path
) -> None:
    staged["stages"]["domain"]["strategy"] = dict(LORA)  # merged into the base for the trial to start from
    job = make_job()
    finish(engine, job)
    tested = finish(engine, make_job("test", "test-0000", folder=job["folder"]))["result"]["test"]
    shutil.rmtree(Path(job["cache"]) / "stages")
    destination = tmp_path / "model"
    answer = finish(engine, make_job("export", "export-0000", folder=job["folder"], destination=str(destination)))
    shutil.rmtree(Path(job["cache"]) / "stages")
    assert {file.name for file in destination.iterdir()} >= {"config.json", "model.safetensors", "ftsweep.json"}
    rows = sentences(20, offset=2000)
    answers = load_predictor(destination).predict([{"text": row["text"]} for row in rows])
    accuracy = sum(told["label"] == row["label"] for told, row in zip(answers, rows, strict=True)) / len(rows)
    assert accuracy == pytest.approx(tested["accuracy"])
    assert answer["result"]["answers"]


def test_a_result_that_is_gone_or_damaged_is_made_again(engine: Engine, staged: Job, make_job: MakeJob) -> None:
    job = make_job()
    finish(engine, job)
    before = weights_of(job)
    (folder,) = results(job)
    (folder / "model.safetensors").write_bytes(b"torn")
    finish(Engine(threads=1), make_job("test", "test-0000", folder=job["folder"]))
    assert all(before[name].equal(tensor) for name, tensor in weights_of(job).items())


def test_stages_build_on_each_other_and_predict_text_to_the_end(engine: Engine, staged: Job, make_job: MakeJob) -> None:
    staged["stages"]["more"] = json.loads(json.dumps(staged["stages"]["domain"]))
    staged["stages"]["more"]["training"]["learning_rate"] = 5e-4
    staged["task"] = {**TEXT, "packed": False}
    staged["training"]["replay"] = 0.1
    metrics = finish(engine, make_job())["outcome"]["extra"]["metrics"]
    assert metrics["more/loss_before"] == pytest.approx(metrics["domain/loss_after"], rel=1e-6)
    assert metrics["general/forgetting"] == metrics["general/loss"] - metrics["general/loss_before"]
    assert {"domain/perplexity", "more/perplexity", "general/perplexity_after"} <= set(metrics)


def test_a_stage_that_diverges_ends_every_trial_that_needs_it(engine: Engine, staged: Job, make_job: MakeJob) -> None:
    staged["stages"]["domain"]["training"] |= {"learning_rate": 1e30, "max_grad_norm": None, "warmup": 0.0}
    steps = []
    for name in ("trial-0000", "trial-0001"):
        before = engine.num_steps
        outcome = finish(engine, make_job(name=name))["outcome"]
        steps.append(engine.num_steps - before)
        assert outcome["kind"] == OutcomeKind.DIVERGED
        assert outcome["reason"].startswith("stage domain: ")
    assert steps[0] > 0
    assert steps[1] == 0, "what is known to diverge is not tried again"


def test_what_the_trial_holds_out_is_not_read_by_its_stage(engine: Engine, staged: Job, make_job: MakeJob) -> None:
    staged["stages"]["domain"]["data"]["train"] = staged["data"]["train"]
    staged["data"] |= {"validation": None, "test": None}
    job = make_job("prepare", "prepare-main")
    facts = finish(engine, job)["result"]
    held_out = facts["num_rows"]["validation"] + facts["num_rows"]["test"]
    assert set(facts["texts"]) == {"stages.domain.data", "general"}
    prepared = [json.loads(path.read_text()) for path in Path(job["cache"]).glob("prepared/*/meta.json")]
    stage = next(meta for meta in prepared if meta["fingerprint"] == facts["texts"]["stages.domain.data"])
    assert sum(stage["num_rows"].values()) == 60 - held_out


def test_a_base_that_predicts_no_text_is_refused_before_any_trial(
    engine: Engine, staged: Job, make_job: MakeJob, tmp_path: Path
) -> None:
    folder = tmp_path / "bert"
    random_bert().save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    staged["model"] = {"_target_": "ftsweep.models.LocalModel", "path": str(folder), "dtype": "auto"}
    with pytest.raises(ModelError, match="is an encoder and cannot do text generation"):
        finish(engine, make_job("baseline", "baseline-main"))


def test_planning_times_the_stages_and_keeps_nothing(engine: Engine, staged: Job, make_job: MakeJob) -> None:
    job = make_job("estimate", "estimate-main")
    assert finish(engine, job)["result"]["stage_seconds"] > 0
    assert not results(job)


def test_results_make_room_for_newer_ones_unless_someone_loads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_cache, "DISK_SHARE", 0.0)
    made = [StageResult.of(tmp_path, {"number": number}) for number in range(3)]
    lock = made[0].lock()
    assert lock.try_shared()
    for result in made:
        with result.written({}) as folder:
            (folder / "model.safetensors").write_bytes(b"weights")
    assert [result.read() is not None for result in made] == [True, False, True]
    lock.release()


def test_trials_of_one_worker_share_the_stage_that_the_first_of_them_makes(
    staged: Job, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = make_job(name="trial-0000", cache=make_job()["cache"] + "-alone")
    finish(Engine(threads=1), alone)
    monkeypatch.setattr("ftsweep.worker.engine.time.sleep", lambda _: pytest.fail("it waited, and had a stage to make"))
    jobs = [make_job(name="trial-0001"), make_job(name="trial-0002")]
    engine = Engine(threads=1, lanes=2)
    for job in jobs:
        engine.admit(job)
    outcomes = []
    while engine.is_busy:
        for message in engine.step():
            if message["type"] == "ended":
                outcomes.append(message["outcome"]["kind"])
            engine.answer({"type": "continue", "job": message["job"]})
    assert outcomes == ["complete", "complete"]
    assert len(results(jobs[0])) == 1
    measured = [[each.values for each in TrialFolder(Path(job["folder"])).measurements()] for job in (alone, *jobs)]
    assert measured[0] == measured[1] == measured[2]


@pytest.mark.parametrize("kind", ["pause", "stop"])
def test_a_trial_can_be_paused_and_stopped_while_its_stage_is_made(staged: Job, make_job: MakeJob, kind: str) -> None:
    undisturbed = make_job(name="trial-0000", cache=make_job()["cache"] + "-alone")
    finish(Engine(threads=1), undisturbed)
    engine, job = Engine(threads=1), make_job(name="trial-0001")
    engine.admit(job)
    for _ in range(4):
        assert engine.step() == []
    before = engine.num_steps
    assert before > 0
    engine.answer({"type": kind, "job": job["job"], "kind": "pruned", "reason": "the test says so"})
    (message,) = engine.step()
    folder = TrialFolder(Path(job["folder"]))
    if kind == "stop":
        assert message["outcome"]["kind"] == "pruned"
        assert folder.outcome() is not None
        job = make_job(name="trial-0002")
    else:
        assert message["outcome"] is None
        assert folder.outcome() is None
    finish(engine, job)  # its stage goes on from where it was left
    assert engine.num_steps == num_all_steps(undisturbed)
    left, right = weights_of(job), weights_of(undisturbed)
    assert all(left[name].equal(right[name]) for name in left)


def num_all_steps(job: Job) -> int:
    """Optimizer steps of a trial and its stages."""
    outcome = TrialFolder(Path(job["folder"])).outcome()
    assert outcome is not None
    return int(outcome.extra["num_steps"]) + sum(each["num_steps"] for each in outcome.extra["stages"].values())
