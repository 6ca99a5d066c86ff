"""Trials on few examples: nothing is trained, or little; what is measured, kept, exported and survives a kill."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_steps import step
from training_rows import sentences, write_rows

from ftsweep.domain.measurement import Measurement
from ftsweep.errors import ConfigError, ModelError
from ftsweep.evaluation.drawn_scores import read_drawn
from ftsweep.models.tiny import TinyModel
from ftsweep.serving.model import load_predictor
from ftsweep.store.atomic import read_lines
from ftsweep.store.folders import TrialFolder
from ftsweep.store.row_scores import read_losses
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

Job = dict[str, Any]
MakeJob = Callable[..., Job]

ASKED = {"_target_": "ftsweep.strategies.FewShot", "k": 2, "draws": 2, "orders": 2}
TUNED = {
    "_target_": "ftsweep.strategies.FewShotTuned",
    "inner": {"_target_": "ftsweep.strategies.Lora", "rank": 2, "dropout": 0.1},
    "k": 2,
    "draws": 3,
}
HEAD = {**TUNED, "inner": {"_target_": "ftsweep.strategies.LinearProbe"}}


def finish(engine: Engine, job: Job) -> tuple[list[Measurement], Job]:
    """Run a job to its end; the measurements and the last message."""
    engine.admit(job)
    measured = []
    while True:
        for message in step(engine):
            if message["type"] == "ended":
                return measured, message
            measured.append(Measurement.from_dict(message["measurement"]))


def kill_after(num_lines: int, job: Job) -> None:
    """Work on a trial until so many of its draws are on disk, and go away without a word."""
    engine = Engine(threads=1)
    engine.admit(job)
    while sum(1 for _ in read_lines(Path(job["folder"]) / "draws.jsonl")) < num_lines:
        assert engine.step() == []


@pytest.fixture(scope="module")
def engine() -> Engine:
    """One warm worker's for all tests, as trials have it."""
    return Engine(threads=1)


def test_without_demonstrations_and_calibration_the_loss_is_the_hand_computed_one(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path
) -> None:
    rows = [{"text": "a cow in a barn", "label": "farm"}, {"text": "wave", "label": "sea"}]
    rows.append({"text": "ship, anchor, sailor", "label": "sea"})
    config["data"]["validation"] = write_rows(tmp_path / "three.jsonl", rows)
    config["strategy"] = {**ASKED, "k": 0, "calibration": "none", "length_normalised": False}
    config["model"] = {"_target_": "ftsweep.models.TinyModel", "dtype": "auto"}
    measured, _ = finish(engine, make_job())

    tokenizer = TinyModel().tokenizer()
    model = TinyModel().load("causal_lm", labels=None, dtype=torch.float32, device=torch.device("cpu"))
    losses = []
    for row in rows:
        likelihood = {}
        for label in ("farm", "sea"):
            prompt = tokenizer(f"Text: {row['text']}\nLabel:")["input_ids"]
            answer = tokenizer(f" {label}", add_special_tokens=False)["input_ids"]
            assert tokenizer(f"Text: {row['text']}\nLabel: {label}")["input_ids"] == prompt + answer
            with torch.no_grad():
                log_probs = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
            likelihood[label] = sum(log_probs[len(prompt) - 1 + at, token].item() for at, token in enumerate(answer))
        total = math.log(sum(math.exp(value) for value in likelihood.values()))
        losses.append(total - likelihood[row["label"]])
    assert len(measured) == 1
    assert measured[0].values["validation/loss"] == pytest.approx(statistics.fmean(losses), abs=1e-4)
    kept = read_losses(Path(make_job()["folder"]), 4)
    assert kept is not None
    np.testing.assert_allclose(kept.validation, losses, atol=1e-4)


def test_trial_is_measured_once_at_the_last_rung_with_the_mean_of_its_prompts_and_their_spread(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    config["strategy"] = ASKED
    job = make_job()
    (measurement,), ended = finish(engine, job)
    scores = read_drawn(Path(job["folder"]))
    assert set(scores) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert measurement.rung == 4
    assert measurement.progress == 1.0
    for metric in ("loss", "accuracy", "macro_f1", "calibration_error"):
        numbers = [each.values[metric] for each in scores.values()]
        assert measurement.values[f"validation/{metric}"] == pytest.approx(statistics.fmean(numbers))
        assert measurement.values[f"validation/{metric}_spread"] == pytest.approx(statistics.stdev(numbers))
    assert len({each.values["loss"] for each in scores.values()}) == 4, "draws and orders do not matter"
    outcome = ended["outcome"]
    assert (outcome["kind"], outcome["best_rung"], outcome["extra"]["num_trained_parameters"]) == ("complete", 4, 0)
    kept = read_losses(Path(job["folder"]), 4)
    assert kept is not None
    assert kept.validation.mean() == pytest.approx(measurement.values["validation/loss"], abs=1e-6)
    assert kept.units.tolist() == [1] * 20


@pytest.mark.parametrize("calibration", ["contextual", "batch"])
def test_kept_prompts_score_and_answer_as_they_were_measured(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path, calibration: str
) -> None:
    config["strategy"] = {**ASKED, "calibration": calibration}
    config["data"]["test"] = config["data"]["validation"]
    job = make_job()
    (measurement,), _ = finish(engine, job)
    _, tested = finish(engine, make_job("test", "test-0000", folder=job["folder"]))
    result = tested["result"]
    for metric in ("loss", "accuracy", "macro_f1", "calibration_error"):
        assert result["test"][metric] == pytest.approx(measurement.values[f"validation/{metric}"], abs=1e-6)
        assert result["intervals"][metric]["low"] < result["intervals"][metric]["high"]
    assert result["intervals"]["loss"]["low"] < result["test"]["loss"] < result["intervals"]["loss"]["high"]
    assert len(result["details"]["draws"]) == 4

    destination = tmp_path / "model"
    _, exported = finish(engine, make_job("export", "export-0000", folder=job["folder"], destination=str(destination)))
    answers = exported["result"]["answers"]
    assert set(answers[0]) == {"label", "probability", "scores"}
    assert set(answers[0]["scores"]) == {"farm", "sea"}
    first = read_drawn(Path(job["folder"]))[0, 0]
    labels = [row["label"] for row in sentences(20, offset=1000)][:3]
    probabilities = [answer["scores"][label] for answer, label in zip(answers, labels, strict=True)]
    np.testing.assert_allclose(-np.log(probabilities), first.losses[:3], atol=1e-4)
    alone = load_predictor(destination, allowed=()).predict([exported["result"]["rows"][0]])
    assert alone[0]["probability"] == pytest.approx(answers[0]["probability"], abs=1e-5), "company changes an answer"
    assert not list(destination.glob("*.safetensors"))
    assert load_predictor(destination, allowed=()).predict(exported["result"]["rows"]) == answers


@pytest.mark.parametrize(("strategy", "done"), [(ASKED, 3), (TUNED, 2)], ids=["asked", "tuned"])
def test_killed_trial_keeps_the_draws_it_has_and_comes_to_the_same_result(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], strategy: dict[str, Any], done: int
) -> None:
    config["strategy"] = strategy
    (undisturbed,), _ = finish(engine, make_job(name="trial-0000"))

    job = make_job(name="trial-0001")
    kill_after(done, job)
    before = read_drawn(Path(job["folder"]))
    (measurement,), ended = finish(engine, job)
    after = read_drawn(Path(job["folder"]))
    assert len(before) == done
    assert all(after[key].seconds == scores.seconds for key, scores in before.items()), "a draw was computed again"
    assert dict(measurement.values) == dict(undisturbed.values)
    assert ended["outcome"]["kind"] == "complete"
    assert not TrialFolder(Path(job["folder"])).checkpoint.exists()


def test_both_arms_see_the_same_rows_and_can_be_compared_row_by_row(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    seen, folders, values = [], [], []
    for name, strategy in (("trial-0000", {**ASKED, "orders": 1, "draws": 3}), ("trial-0001", TUNED)):
        config["strategy"] = strategy
        job = make_job(name=name)
        (measurement,), _ = finish(engine, job)
        values.append(measurement.values["validation/accuracy"])
        folders.append(job["folder"])
        seen.append({draw: scores.examples for (draw, _), scores in read_drawn(Path(job["folder"])).items()})
    assert seen[0] == seen[1]
    assert len(seen[0][0]) == 4
    kept = json.loads((TrialFolder(Path(folders[0])).best / "few_shot.json").read_text())
    train = sentences(60)
    assert [row["text"] for row in kept["prompts"][0]["demonstrations"]] == [train[i]["text"] for i in seen[1][0]]

    sides = {"left": [[folders[0], 4]], "right": [[folders[1], 4]], "metric": "accuracy"}
    _, compared = finish(engine, make_job("compare", "compare", **sides))
    found = compared["result"]
    assert found["standard_error"] > 0
    assert abs(found["difference"] - (values[0] - values[1])) < 2 * found["standard_error"] + 1e-6

    config["strategy"] = {**ASKED, "draws": 1, "orders": 1}
    config["seed"]["model"] = 1  # as a confirmation does
    again = make_job(name="trial-0002")
    finish(engine, again)
    assert read_drawn(Path(again["folder"]))[0, 0].examples not in seen[0].values()


@pytest.mark.parametrize("strategy", [TUNED, HEAD], ids=["lora", "head"])
def test_every_draw_trains_from_the_same_start_and_its_weights_are_kept(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], strategy: dict[str, Any], tmp_path: Path
) -> None:
    config["strategy"] = strategy
    config["data"]["test"] = config["data"]["validation"]
    job = make_job()
    (measurement,), ended = finish(engine, job)
    folder = TrialFolder(Path(job["folder"]))
    assert [path.name for path in sorted(folder.best.iterdir())] == ["draw-000", "draw-001", "draw-002"]
    assert measurement.rung == 4
    assert measurement.num_examples == 3 * 2 * 4  # draws, epochs, examples
    assert measurement.values["validation/loss_spread"] > 0
    assert ended["outcome"]["extra"]["num_trained_parameters"] > 0

    # The last draw alone comes to what it came to among others.
    config["strategy"] = {**strategy, "draws": 1, "draw": 2}
    (alone,), _ = finish(engine, make_job(name="trial-0001"))
    assert alone.values["validation/loss"] == read_drawn(folder.path)[2, 0].values["loss"]
    assert "validation/loss_spread" not in alone.values, "one draw has no spread"

    config["strategy"] = strategy
    _, tested = finish(engine, make_job("test", "test-0000", folder=job["folder"]))
    assert tested["result"]["test"]["loss"] == pytest.approx(measurement.values["validation/loss"], abs=1e-5)
    spread = statistics.stdev(each["loss"] for each in tested["result"]["details"]["draws"])
    assert spread == pytest.approx(measurement.values["validation/loss_spread"], abs=1e-5)
    destination = tmp_path / "model"
    _, exported = finish(engine, make_job("export", "export-0000", folder=job["folder"], destination=str(destination)))
    assert list(destination.glob("*.safetensors"))
    answers = load_predictor(destination, allowed=()).predict(exported["result"]["rows"])
    first = read_drawn(folder.path)[0, 0]
    labels = [row["label"] for row in sentences(20, offset=1000)][:3]
    probabilities = [answer["scores"][label] for answer, label in zip(answers, labels, strict=True)]
    np.testing.assert_allclose(-np.log(probabilities), first.losses[:3], atol=1e-4)


def test_trials_leave_the_base_as_they_found_it(engine: Engine, make_job: MakeJob, config: dict[str, Any]) -> None:
    values = []
    for number, strategy in enumerate((ASKED, {**TUNED, "inner": {"_target_": "ftsweep.strategies.Full"}}, ASKED)):
        config["strategy"] = strategy
        (measurement,), _ = finish(engine, make_job(name=f"trial-{number:04d}"))
        values.append(dict(measurement.values))
    assert values[0] == values[2]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"k": 25}, r"50 demonstrations.*takes 1024"),
        ({"k": 40}, "40 examples of every label.*train has 30"),
    ],
)
def test_setting_that_does_not_fit_is_infeasible_with_the_numbers(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    config["task"]["max_length"] = 600
    config["strategy"] = {**ASKED, **changes}
    measured, ended = finish(engine, make_job())
    assert (measured, ended["outcome"]["kind"]) == ([], "infeasible")
    assert re.search(told, ended["outcome"]["reason"])
    engine.admit(make_job("estimate", "estimate-main"))
    with pytest.raises(ConfigError, match=r"demonstrations|examples of every label"):
        step(engine)


@pytest.mark.parametrize("strategy", [ASKED, TUNED], ids=["asked", "tuned"])
def test_plan_knows_how_long_a_trial_takes(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], strategy: dict[str, Any]
) -> None:
    config["strategy"] = strategy
    job = make_job("estimate", "estimate-main")
    _, ended = finish(engine, job)
    result = ended["result"]
    assert result["num_steps"] == (4 if strategy is ASKED else 6)  # prompts; three draws of two epochs of one batch
    assert 0 < result["trial_seconds"] < 60
    assert not (Path(job["folder"]) / "draws.jsonl").exists()


def test_instruction_is_asked_behind_earlier_turns(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path
) -> None:
    rows = [{"prompt": f"What is {n} and one?", "completion": f"It is {n + 1}."} for n in range(80)]
    for name, part in (("train", rows[:60]), ("validation", rows[60:70]), ("test", rows[70:])):
        config["data"][name] = write_rows(tmp_path / f"answers-{name}.jsonl", part)
    config["task"] = {"_target_": "ftsweep.tasks.Instruction", "max_length": 64, "max_new_tokens": 4}
    config["strategy"] = {**ASKED, "k": 0}
    (zero,), _ = finish(engine, make_job(name="trial-0000"))
    _, base = finish(engine, make_job("baseline", "baseline-main"))
    for metric in ("loss", "bits_per_byte"):
        assert zero.values[f"validation/{metric}"] == pytest.approx(base["result"]["validation"][metric], abs=1e-5)

    config["strategy"] = {**ASKED, "k": 4, "orders": 1}
    (four,), _ = finish(engine, make_job(name="trial-0001"))
    assert four.values["validation/loss"] != zero.values["validation/loss"]
    assert {"validation/perplexity", "validation/token_accuracy_spread"} <= set(four.values)
    destination = tmp_path / "model"
    folder = make_job(name="trial-0001")["folder"]
    _, exported = finish(engine, make_job("export", "export-0001", folder=folder, destination=str(destination)))
    assert set(exported["result"]["answers"][0]) == {"completion"}


def test_encoder_is_refused_by_the_models_own_message(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path
) -> None:
    from transformers import BertConfig, BertModel

    folder = tmp_path / "bert"
    BertModel(BertConfig(vocab_size=4096, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        folder
    )
    TinyModel().tokenizer().save_pretrained(folder)
    config["model"] = {"_target_": "ftsweep.models.LocalModel", "path": str(folder)}
    config["strategy"] = ASKED
    engine.admit(make_job("prepare", "prepare-main"))
    with pytest.raises(ModelError, match="encoder"):
        step(engine)


def test_words_that_do_not_fit_the_labels_are_refused_before_any_trial(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    config["strategy"] = ASKED
    searched = {**ASKED, "label_words": {"see": "water"}}
    engine.admit(make_job("prepare", "prepare-main", strategies=[ASKED, searched]))
    with pytest.raises(ConfigError, match="Did you mean 'sea'"):
        step(engine)
