"""One worker's engine on real small jobs: what a trial promises, with the embedded model."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_steps import finish
from transformers import GraniteConfig, GraniteForCausalLM

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.trial import OutcomeKind
from ftsweep.errors import ConfigError, ModelError
from ftsweep.models.tiny import FOLDER
from ftsweep.serving.model import load_predictor
from ftsweep.store.folders import TrialFolder
from ftsweep.store.row_scores import read_losses
from ftsweep.tasks.classification import Classification
from ftsweep.testing.random_models import byte_tokenizer
from ftsweep.training import checkpoint
from ftsweep.training.measuring import RungScorer
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

Job = dict[str, Any]
MakeJob = Callable[..., Job]


def values(measurements: list[Measurement]) -> list[dict[str, float]]:
    return [dict(measurement.values) for measurement in measurements]


def test_trial_measures_every_rung_and_keeps_the_weights_of_the_best(engine: Engine, make_job: MakeJob) -> None:
    job = make_job()
    measured, ended = finish(engine, job)
    folder = TrialFolder(Path(job["folder"]))
    assert [measurement.rung for measurement in measured] == [0, 1, 2, 3, 4]
    assert [measurement.progress for measurement in measured][-1] == 1.0
    assert measured[-1].num_examples == 120
    assert ended["outcome"]["kind"] == "complete"
    assert values(folder.measurements()) == values(measured)
    assert measured[-1].values["validation/loss"] < measured[0].values["validation/loss"]
    assert not folder.checkpoint.exists()
    best = min(measured[1:], key=lambda measurement: measurement.values["validation/loss"])
    assert ended["outcome"]["best_rung"] == best.rung

    _, tested = finish(engine, make_job("test", "test-0000", folder=job["folder"]))
    assert set(tested["result"]["test"]) == {"loss", "accuracy", "macro_f1", "calibration_error"}


def test_kept_weights_measure_what_the_best_rung_measured(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    # Of rungs that are equally accurate the first is kept, so the best is not the last.
    config["objective"] = {"metric": "accuracy", "split": "validation", "direction": "maximize"}
    config["training"]["epochs"] = 4
    config["data"]["test"] = config["data"]["validation"]
    job = make_job()
    measured, ended = finish(engine, job)
    best = measured[ended["outcome"]["best_rung"]]
    assert best.rung < 4
    _, tested = finish(engine, make_job("test", "test-0000", folder=job["folder"]))
    assert tested["result"]["test"]["loss"] == pytest.approx(best.values["validation/loss"], abs=1e-6)


@pytest.mark.parametrize("strategy", ["lora.Lora", "full.Full"])
def test_trials_of_one_worker_do_not_depend_on_those_before(
    make_job: MakeJob, config: dict[str, Any], strategy: str
) -> None:
    config["strategy"] = {"_target_": f"ftsweep.strategies.{strategy}"}
    used = Engine(threads=1)
    finish(used, make_job(name="trial-0000"))
    after_others, _ = finish(used, make_job(name="trial-0001"))
    alone, _ = finish(Engine(threads=1), make_job(name="trial-0002"))
    assert values(after_others) == values(alone)


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_killed_trial_continues_to_the_same_result(
    make_job: MakeJob, config: dict[str, Any], killed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", math.inf)  # a checkpoint at every rung
    config["strategy"]["dropout"] = 0.2  # so that the generators' state matters
    undisturbed, _ = finish(Engine(threads=1), make_job(name="trial-0000"))

    job = make_job(name="trial-0001")
    killed = Engine(threads=1)
    killed.admit(job)
    rung = -1
    while rung < killed_at:
        for message in killed.step():
            rung = message["measurement"]["rung"]
            if rung < killed_at:
                killed.answer({"type": "continue", "job": job["job"]})
    del killed  # nothing is written any more, as after kill -9

    rest, ended = finish(Engine(threads=1), job)
    assert [measurement.rung for measurement in rest] == list(range(killed_at + 1, 5))
    assert values(TrialFolder(Path(job["folder"])).measurements()) == values(undisturbed)
    assert ended["outcome"]["kind"] == "complete"
    weights = [
        (Path(make_job(name=name)["folder"]) / "best" / "adapter_model.safetensors")
        for name in ("trial-0000", "trial-0001")
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_trial_killed_between_checkpoints_measures_no_rung_twice(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, _ = finish(Engine(threads=1), make_job(name="trial-0000"))
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", 1e-12)  # one checkpoint, at rung 0 at most
    job = make_job(name="trial-0001")
    killed = Engine(threads=1)
    killed.admit(job)
    for _ in range(12):
        if any(message["type"] == "measured" for message in killed.step()):
            killed.answer({"type": "continue", "job": job["job"]})
    known = len(TrialFolder(Path(job["folder"])).measurements())
    assert 1 < known < 5
    rest, _ = finish(Engine(threads=1), job)
    assert len(rest) == 5 - known
    lines = TrialFolder(Path(job["folder"])).measurements_file.read_text().splitlines()
    assert len(lines) == 5
    assert values(TrialFolder(Path(job["folder"])).measurements()) == values(undisturbed)


def test_drained_trial_continues_from_the_very_step(make_job: MakeJob) -> None:
    undisturbed, _ = finish(Engine(threads=1), make_job(name="trial-0000"))
    job = make_job(name="trial-0001")
    drained = Engine(threads=1)
    drained.admit(job)
    for _ in range(7):
        if drained.step():
            drained.answer({"type": "continue", "job": job["job"]})
    steps = drained.num_steps
    drained.drain()
    fresh = Engine(threads=1)
    finish(fresh, job)
    assert fresh.num_steps + steps == 16
    assert values(TrialFolder(Path(job["folder"])).measurements()) == values(undisturbed)


def test_stopped_trial_ends_with_the_reason_and_keeps_no_weights(engine: Engine, make_job: MakeJob) -> None:
    job = make_job()
    _, ended = finish(engine, job, stop_at=2)
    assert ended["outcome"]["kind"] == "pruned"
    assert ended["outcome"]["reason"] == "the test says so"
    assert ended["outcome"]["rung"] == 2
    folder = TrialFolder(Path(job["folder"]))
    assert not folder.best.exists()
    assert not folder.checkpoint.exists()
    assert folder.outcome() is not None


def test_micro_batches_give_the_gradient_of_the_whole_batch(make_job: MakeJob, config: dict[str, Any]) -> None:
    whole, _ = finish(Engine(threads=1), make_job(name="trial-0000"))
    config["training"]["micro_batch_size"] = 1
    split, _ = finish(Engine(threads=1), make_job(name="trial-0001"))
    for left, right in zip(values(whole), values(split), strict=True):
        assert left == pytest.approx(right, abs=2e-4)


def run_out_of_memory_above(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Make training batches of more than so many rows fail as an allocator does."""
    real = Classification.losses

    def limited(self: Any, model: Any, batch: Any) -> Any:
        if model.training and len(batch["input_ids"]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return real(self, model, batch)

    monkeypatch.setattr(Classification, "losses", limited)


def test_micro_batch_is_halved_until_it_fits_and_changes_no_result(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = finish(Engine(threads=1), make_job(name="trial-0000"))
    run_out_of_memory_above(monkeypatch, rows=3)
    halved, ended = finish(Engine(threads=1), make_job(name="trial-0001"))
    assert ended["outcome"]["extra"]["micro_batch_size"] == 2
    for left, right in zip(values(whole), values(halved), strict=True):
        assert left == pytest.approx(right, abs=2e-4)


def test_trial_that_does_not_fit_at_all_is_infeasible(
    engine: Engine, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out_of_memory_above(monkeypatch, rows=0)
    _, ended = finish(engine, make_job())
    assert ended["outcome"]["kind"] == "infeasible"
    assert "micro-batch size 1" in ended["outcome"]["reason"]
    monkeypatch.undo()
    _, ended = finish(engine, make_job(name="trial-0001"))
    assert ended["outcome"]["kind"] == "complete"


def test_trial_that_diverges_is_ended_at_once(
    engine: Engine, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Classification.losses
    calls = []

    def poisoned(self: Any, model: Any, batch: Any) -> Any:
        loss, outputs = real(self, model, batch)
        calls.append(model.training)
        return (loss * math.nan if sum(calls) == 6 else loss), outputs

    monkeypatch.setattr(Classification, "losses", poisoned)
    measured, ended = finish(engine, make_job())
    assert ended["outcome"]["kind"] == OutcomeKind.DIVERGED
    assert sum(calls) == 6
    assert all(math.isfinite(value) for measurement in measured for value in measurement.values.values())


@pytest.mark.parametrize("strategy", ["lora.Lora", "full.Full"])
def test_what_precedes_training_is_measured_once_per_worker_and_is_true(
    make_job: MakeJob, config: dict[str, Any], strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = Engine(threads=1)
    config["strategy"] = {"_target_": f"ftsweep.strategies.{strategy}"}
    finish(used, make_job(name="trial-0000"))
    if strategy.startswith("lora"):
        config["strategy"]["rank"] = 4  # another setting of the same strategy
    config["training"]["learning_rate"] = 1e-3
    counted = []
    original = RungScorer.now
    monkeypatch.setattr(RungScorer, "now", lambda self, *at: counted.append("a rung") or original(self, *at))
    reused, _ = finish(used, make_job(name="trial-0001"))
    assert len(counted) == 4, "rung 0 was measured again"
    fresh, _ = finish(Engine(threads=1), make_job(name="trial-0002"))
    assert values(reused) == values(fresh)


@pytest.mark.parametrize(("patience", "said"), [(1, "for 1 rung"), (2, "for 2 rungs")])
def test_patience_ends_the_trial_as_complete(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], patience: int, said: str
) -> None:
    config["training"].update(learning_rate=1e-12, patience=patience)
    config["objective"] = {"metric": "accuracy", "split": "validation", "direction": "maximize"}
    config["rungs"]["count"] = 8
    measured, ended = finish(engine, make_job())
    assert ended["outcome"]["kind"] == "complete"
    assert ended["outcome"]["reason"] == f"no better validation/accuracy {said}"
    assert measured[-1].rung == 1 + patience
    assert ended["outcome"]["best_rung"] == 1


def test_fewer_steps_than_rungs_measures_each_step_once(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    config["training"].update(batch_size=30, epochs=1)
    config["rungs"]["count"] = 10
    measured, _ = finish(engine, make_job())
    assert [measurement.rung for measurement in measured] == [0, 5, 10]


def test_rungs_measure_as_many_rows_of_train_as_asked_and_validation_whole(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    config["rungs"].update(count=1, train_rows=16)
    job = make_job()
    measured, _ = finish(engine, job)
    losses = read_losses(Path(job["folder"]), 1)
    assert losses is not None
    assert (len(losses.train), len(losses.validation)) == (16, 20)
    assert measured[1].values["train/loss"] == pytest.approx(float(losses.train.mean()), abs=1e-6)


def test_baseline_of_a_new_head_is_the_majority_prior(engine: Engine, make_job: MakeJob) -> None:
    _, ended = finish(engine, make_job("baseline", "baseline-main"))
    assert ended["result"]["validation"]["accuracy"] == 0.5
    assert ended["result"]["validation"]["loss"] == pytest.approx(math.log(2), abs=1e-6)


def test_a_model_that_the_task_cannot_use_is_refused_before_the_first_trial(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path
) -> None:
    base = GraniteForCausalLM(GraniteConfig(vocab_size=264, hidden_size=16, num_hidden_layers=1, num_attention_heads=2))
    base.save_pretrained(tmp_path / "base")
    byte_tokenizer().save_pretrained(tmp_path / "base")
    config["model"] = {"_target_": "ftsweep.models.LocalModel", "path": str(tmp_path / "base"), "dtype": "auto"}
    with pytest.raises(ModelError, match="no head for classification of whole texts"):
        finish(engine, make_job("baseline", "baseline-main"))


def test_a_strategy_that_finds_nothing_to_train_is_refused_before_the_first_trial(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: Any) -> None:
        raise ConfigError("nothing here trains", where="strategy")

    monkeypatch.setattr("ftsweep.strategies.lora.Lora.peft_config", refuse)
    with pytest.raises(ConfigError, match="nothing here trains"):
        finish(engine, make_job("baseline", "baseline-main"))


def test_a_fresh_seed_makes_a_difference_where_nothing_is_drawn(make_job: MakeJob, config: dict[str, Any]) -> None:
    # a decoder without dropout and without a new head, all of whose weights train: only the order of rows is left
    config["task"] = {"_target_": "ftsweep.tasks.Text", "max_length": 24, "packed": False}
    config["strategy"] = {"_target_": "ftsweep.strategies.Full"}
    config["training"]["epochs"], config["rungs"]["count"] = 0.5, 1
    engine, last = Engine(threads=1), []
    for number, seed in enumerate((0, 0, 1001)):
        config["seed"]["model"] = seed
        measured, _ = finish(engine, make_job(name=f"trial-{number:04}"))
        last.append(measured[-1].values["validation/loss"])
    assert last[0] == last[1]
    assert last[0] != last[2]


def test_estimate_changes_nothing_and_counts_the_steps(engine: Engine, make_job: MakeJob) -> None:
    job = make_job("estimate", "estimate-main")
    _, ended = finish(engine, job)
    assert ended["result"]["num_steps"] == 16
    assert ended["result"]["trial_seconds"] > 0
    assert not Path(job["folder"]).exists()


@pytest.mark.parametrize("strategy", ["lora.Lora", "full.Full"])
def test_threads_are_timed_and_nothing_changes(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], strategy: str
) -> None:
    config["strategy"] = {"_target_": f"ftsweep.strategies.{strategy}"}
    alone, _ = finish(Engine(threads=1), make_job())
    engine = Engine(threads=1)
    job = make_job("threads", "threads-main", counts=[1, 2])
    _, ended = finish(engine, job)
    assert list(ended["result"]["step_seconds"]) == ["1", "2"]
    assert all(seconds > 0 for seconds in ended["result"]["step_seconds"].values())
    assert 0.1 < ended["result"]["memory_gib"] < 64
    assert torch.get_num_threads() == 1
    assert not Path(job["folder"]).exists()
    after, _ = finish(engine, make_job(name="trial-0001"))
    assert [each.values for each in after] == [each.values for each in alone]


@pytest.mark.parametrize("strategy", ["lora.Lora", "full.Full"])
def test_exported_model_answers_like_the_trial_and_without_the_engine(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path, strategy: str
) -> None:
    config["strategy"] = {"_target_": f"ftsweep.strategies.{strategy}"}
    base = tmp_path / "base"
    shutil.copytree(FOLDER, base)
    config["model"] = {"_target_": "ftsweep.models.LocalModel", "path": str(base), "dtype": "auto"}
    job = make_job()
    finish(engine, job)
    destination = tmp_path / "model"
    _, ended = finish(engine, make_job("export", "export-0000", folder=job["folder"], destination=str(destination)))
    rows, answers = ended["result"]["rows"], ended["result"]["answers"]
    assert len(rows) == len(answers) == 3
    assert all("label" not in row for row in rows)
    if strategy.startswith("full"):
        shutil.rmtree(base)  # a full fine-tune is a whole model
    assert load_predictor(destination, allowed=()).predict(rows) == answers


def test_answer_that_comes_too_late_changes_nothing(engine: Engine, make_job: MakeJob) -> None:
    job = make_job()
    finish(engine, job)
    engine.answer({"type": "stop", "job": job["job"], "kind": "pruned", "reason": "late"})
    assert not engine.is_busy


def make_it_generative(config: dict[str, Any], task: str) -> None:
    """The same words as prompts with answers, or as documents."""
    for split in ("train", "validation", "test"):
        path = Path(config["data"][split])
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rows = [{**row, "prompt": row["text"], "completion": row["label"]} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config["task"] = {"_target_": f"ftsweep.tasks.{task.lower()}.{task}", "max_length": 48}
    config["training"]["epochs"] = 1


@pytest.mark.parametrize("task", ["Instruction", "Text"])
def test_generative_tasks_learn_are_measured_against_the_base_and_answer(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], task: str, tmp_path: Path
) -> None:
    make_it_generative(config, task)
    _, base = finish(engine, make_job("baseline", "baseline-main"))
    job = make_job()
    measured, ended = finish(engine, job)
    assert ended["outcome"]["kind"] == "complete"
    assert measured[0].values["validation/loss"] == pytest.approx(base["result"]["validation"]["loss"], abs=1e-5)
    assert measured[-1].values["validation/loss"] < measured[0].values["validation/loss"]
    last = measured[-1].values
    assert last["validation/perplexity"] == pytest.approx(math.exp(last["validation/loss"]), rel=1e-5)
    bits = [each.values["validation/bits_per_byte"] / each.values["validation/loss"] for each in measured]
    assert bits == pytest.approx([bits[0]] * len(bits)), "the same tokens and bytes at every rung"
    _, tested = finish(engine, make_job("test", "test-0000", folder=job["folder"]))
    sure = tested["result"]["intervals"]["bits_per_byte"]
    assert sure["low"] < tested["result"]["test"]["bits_per_byte"] < sure["high"]
    export = make_job("export", "export-0000", folder=job["folder"], destination=str(tmp_path / "model"))
    _, exported = finish(engine, export)
    assert len(exported["result"]["answers"]) == 3


def test_gradient_checkpointing_changes_no_number_and_leaves_nothing_behind(
    make_job: MakeJob, config: dict[str, Any]
) -> None:
    engine = Engine(threads=1)
    plain, _ = finish(engine, make_job(name="trial-0000"))
    config["training"]["gradient_checkpointing"] = True
    saved, _ = finish(engine, make_job(name="trial-0001"))
    config["training"]["gradient_checkpointing"] = False
    again, _ = finish(engine, make_job(name="trial-0002"))
    for left, right in zip(values(plain), values(saved), strict=True):
        assert left == pytest.approx(right, abs=1e-5)
    assert values(again) == values(plain)
