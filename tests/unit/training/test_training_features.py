"""A head that trains on cached features trains as it would on the body, and pays for the body once."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForSequenceClassification, BertModel

from ftsweep.domain.measurement import Measurement
from ftsweep.models.tiny import FOLDER
from ftsweep.training import checkpoint
from ftsweep.training.features import cache as feature_cache
from ftsweep.training.features.table import CachedBody, Features, put_back_body, replace_body
from ftsweep.worker.engine import Engine

Config = dict[str, Any]
MakeJob = Callable[..., dict[str, Any]]

PROBE = {"_target_": "ftsweep.strategies.LinearProbe"}
LP_FT = {
    "_target_": "ftsweep.strategies.HeadThenFull",
    "head_epochs": 1.5,
    "head_learning_rate": 1e-2,
}

TOP = {"_target_": "ftsweep.strategies.TopLayers", "num_layers": 1}


@pytest.fixture
def encoder(tmp_path: Path) -> dict[str, Any]:
    """A random BERT with the embedded model's tokenizer; dropout in the body, and more of it in the head."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=4096,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.2,
        classifier_dropout=0.3,
    )
    folder = tmp_path / "bert"
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(FOLDER / name, folder)
    return {"_target_": "ftsweep.models.LocalModel", "path": str(folder)}


@pytest.fixture
def decoder(tmp_path: Path) -> dict[str, Any]:
    """The embedded model, with dropout before a head over tokens."""
    folder = tmp_path / "llama"
    folder.mkdir()
    for path in [*FOLDER.glob("*.json"), *FOLDER.glob("*.safetensors")]:
        shutil.copy(path, folder)
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**written, "classifier_dropout": 0.3}))
    return {"_target_": "ftsweep.models.LocalModel", "path": str(folder)}


@pytest.fixture
def minilm() -> dict[str, Any]:
    shared = Path(os.environ.get("FTSWEEP_SHARED", Path(__file__).parents[4] / "shared"))
    if not (shared / "models" / "minilm" / "config.json").exists():
        pytest.skip("models/minilm is not there; name its parent folder with FTSWEEP_SHARED")
    return {"_target_": "ftsweep.models.LocalModel", "path": str(shared / "models" / "minilm")}


def as_tags(config: Config, tmp_path: Path) -> None:
    """Make the job one of tagging words."""
    for name in ("train", "validation", "test"):
        lines = []
        for line in (tmp_path / f"{name}.jsonl").read_text().splitlines():
            words = json.loads(line)["text"].split()
            tags = ["O" if word.isdigit() else f"B-{'ship' if word < 'm' else 'cow'}" for word in words]
            lines.append(json.dumps({"tokens": words, "tags": tags}) + "\n")
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    config["task"] = {"_target_": "ftsweep.tasks.TokenClassification", "max_length": 24}


def be_brief(config: Config) -> None:
    """A probe of a few steps."""
    config["strategy"] = PROBE
    config["training"]["epochs"] = 0.2
    config["rungs"]["count"] = 1


def finish(engine: Engine, job: dict[str, Any]) -> list[Measurement]:
    engine.admit(job)
    measured = []
    while True:
        for message in engine.step():
            if message["type"] == "ended":
                assert message["outcome"]["kind"] == "complete"
                return measured
            measured.append(Measurement.from_dict(message["measurement"]))
            engine.answer({"type": "continue", "job": job["job"]})


def values(measured: list[Measurement]) -> list[dict[str, float]]:
    return [dict(measurement.values) for measurement in measured]


def kept(job: dict[str, Any]) -> dict[str, torch.Tensor]:
    (file,) = (Path(job["folder"]) / "best").glob("*.safetensors")
    return load_file(file)


def tables(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "features").glob("[0-9a-f]*"))


def check_equal_to_uncached(make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached, plain = make_job(name="cached"), make_job(name="plain")
    with_table = finish(Engine(threads=1), cached)
    assert len(tables(tmp_path)) == 1
    for name in ("choice.cached_features", "choice.cached_layers", "two_phases.cached_features"):
        monkeypatch.setattr(f"ftsweep.training.runs.{name}", lambda *_given: None)
    without = finish(Engine(threads=1), plain)
    for one, other in zip(with_table, without, strict=True):
        assert (one.num_examples, one.num_tokens) == (other.num_examples, other.num_tokens)
        assert one.values == pytest.approx(dict(other.values), abs=1e-5)
    weights, expected = kept(cached), kept(plain)
    assert weights.keys() == expected.keys()
    for name in sorted(weights):
        if (
            "embed" in name or "layer" in name
        ):  # of a second phase: Adam makes whole steps of gradients of mere rounding
            continue
        torch.testing.assert_close(weights[name], expected[name], atol=1e-5, rtol=0, msg=name)


@pytest.mark.parametrize(
    ("strategy", "model", "task"),
    [
        (PROBE, "encoder", "sequence"),
        (PROBE, "encoder", "token"),
        (PROBE, "decoder", "sequence"),
        (PROBE, "decoder", "token"),
        (PROBE, "minilm", "sequence"),
        (LP_FT, "encoder", "sequence"),
        (LP_FT, "decoder", "sequence"),
        (TOP, "encoder", "sequence"),
        (TOP, "encoder", "token"),
        (TOP, "decoder", "sequence"),
        (TOP, "decoder", "token"),
        (TOP, "minilm", "sequence"),
    ],
    ids=lambda value: value["_target_"].rpartition(".")[2] if isinstance(value, dict) else value,
)
def test_what_trains_on_a_table_trains_as_on_the_body(
    strategy: Config,
    model: str,
    task: str,
    config: Config,
    make_job: MakeJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    config["model"] = request.getfixturevalue(model)
    config["strategy"] = strategy
    config["training"].update(batch_size=16, epochs=1.2, learning_rate=1e-2 if strategy is PROBE else 1e-4)
    config["rungs"]["count"] = 1
    if task == "token":
        as_tags(config, tmp_path)
    check_equal_to_uncached(make_job, tmp_path, monkeypatch)


def test_second_worker_and_second_trial_compute_no_features(
    config: Config, make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_brief(config)
    first = finish(Engine(threads=1), make_job(name="trial-0000"))
    monkeypatch.setattr(feature_cache, "compute_features", None)
    another = Engine(threads=1)
    config["training"]["learning_rate"] = 1e-3
    finish(another, make_job(name="trial-0001"))
    config["training"]["learning_rate"] = 5e-3
    assert values(finish(another, make_job(name="trial-0002"))) == values(first)
    assert len(tables(tmp_path)) == 1


def test_what_changes_the_examples_changes_the_table(config: Config, make_job: MakeJob, tmp_path: Path) -> None:
    be_brief(config)
    engine = Engine(threads=1)
    finish(engine, make_job(name="trial-0000"))
    config["task"]["max_length"] = 12
    finish(engine, make_job(name="trial-0001"))
    assert len(tables(tmp_path)) == 2
    with open(tmp_path / "train.jsonl", "a", encoding="utf-8") as file:
        file.write('{"text": "one more", "label": "sea"}\n')
    finish(Engine(threads=1), make_job(name="trial-0002"))
    assert len(tables(tmp_path)) == 3


def test_damaged_table_is_made_anew(config: Config, make_job: MakeJob, tmp_path: Path) -> None:
    be_brief(config)
    first = finish(Engine(threads=1), make_job(name="trial-0000"))
    (table,) = tables(tmp_path)
    (table / "features.safetensors").write_bytes(b"torn")
    assert values(finish(Engine(threads=1), make_job(name="trial-0001"))) == values(first)
    assert (table / "features.safetensors").stat().st_size > 4


@pytest.mark.parametrize("share", ["MEMORY_SHARE", "DISK_SHARE"])
def test_too_large_a_table_is_not_made_and_the_log_says_so(
    share: str,
    config: Config,
    make_job: MakeJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(feature_cache, share, 1e-12)
    be_brief(config)
    with caplog.at_level(logging.WARNING, logger="ftsweep.training"):
        finish(Engine(threads=1), make_job())
    assert "features of the frozen body are not kept: they take 0.00 GiB" in caplog.text
    assert tables(tmp_path) == []


def test_tables_not_used_for_longest_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in ((300, "old"), (100, "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "features.safetensors").write_bytes(bytes(1000))
        (tmp_path / name / "meta.json").write_text("")
        os.utime(tmp_path / name / "meta.json", (1_000_000_000 - age, 1_000_000_000 - age))
    limit = 2500
    usage = shutil.disk_usage(tmp_path)._replace(free=int(limit / feature_cache.DISK_SHARE) - 2000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert feature_cache._make_room(tmp_path, 400)
    assert {path.name for path in tmp_path.iterdir()} == {"old", "new"}
    assert feature_cache._make_room(tmp_path, 1000)
    assert {path.name for path in tmp_path.iterdir()} == {"new"}
    assert not feature_cache._make_room(tmp_path, 3000)


@pytest.mark.parametrize("phase", ["head", "full"])
def test_head_then_full_killed_in_either_phase_continues_to_the_same_result(
    phase: str, config: Config, make_job: MakeJob, encoder: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", math.inf)  # a checkpoint at every rung
    config["model"], config["strategy"] = encoder, LP_FT
    config["rungs"]["count"] = 2
    undisturbed = finish(Engine(threads=1), make_job(name="trial-0000"))
    # 12 steps of the head alone, then 16 of the whole model; the first rung is measured after 8 of them
    job = make_job(name="trial-0001")
    killed = Engine(threads=1)
    killed.admit(job)
    while killed.num_steps < {"head": 5, "full": 22}[phase]:
        if any(message["type"] == "measured" for message in killed.step()):
            killed.answer({"type": "continue", "job": job["job"]})
    if phase == "head":
        killed.drain()  # as a worker that is told to end; no rung lies in this phase
    del killed
    rest = finish(Engine(threads=1), job)
    assert values(rest) == values(undisturbed)[-len(rest) :]
    assert len(rest) == {"head": 2, "full": 1}[phase]
    expected = kept(make_job(name="trial-0000"))
    assert all(torch.equal(weight, expected[name]) for name, weight in kept(job).items())


def test_rungs_of_head_then_full_are_fractions_of_its_second_phase(
    config: Config, make_job: MakeJob, encoder: dict[str, Any]
) -> None:
    config["model"], config["strategy"] = encoder, {**LP_FT, "head_epochs": 1}
    measured = finish(Engine(threads=1), make_job())
    assert [measurement.progress for measurement in measured] == pytest.approx([0, 0.267, 0.5, 0.767, 1], abs=0.05)
    assert measured[0].num_examples == 0
    assert measured[-1].num_examples == 60 + 120


def test_head_then_full_begins_its_second_phase_from_the_trained_head(
    config: Config, make_job: MakeJob, decoder: dict[str, Any]
) -> None:
    config["model"] = decoder
    config["training"].update(learning_rate=1e-9, epochs=0.2)
    config["rungs"]["count"] = 1
    config["strategy"] = {**LP_FT, "head_epochs": 4}
    start, end = finish(Engine(threads=1), make_job())
    assert end.values["validation/loss"] < 0.7 * start.values["validation/loss"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])  # in which the least difference in a pass shows
def test_base_is_whole_again_after_a_trial_on_cached_features(config: Config, make_job: MakeJob, dtype: str) -> None:
    be_brief(config)
    config["model"]["dtype"] = config["training"]["precision"] = dtype
    engine = Engine(threads=1)
    finish(engine, make_job(name="trial-0000"))
    (base,) = engine.components.bases._bases
    assert not any(isinstance(module, CachedBody) for module in base.model.modules())
    config["strategy"] = {"_target_": "ftsweep.strategies.Lora"}
    after_probe = finish(engine, make_job(name="trial-0001"))
    assert values(after_probe) == values(finish(Engine(threads=1), make_job(name="trial-0002")))


def test_pull_to_the_base_acts_in_the_second_phase_alone(config: Config, make_job: MakeJob) -> None:
    config["strategy"] = {**LP_FT, "head_epochs": 0.2}
    config["training"].update(epochs=0.2, l2_sp=0.1)
    config["rungs"]["count"] = 1
    pulled = finish(Engine(threads=1), make_job(name="trial-0000"))
    config["training"]["l2_sp"] = 0.0
    free = finish(Engine(threads=1), make_job(name="trial-0001"))
    assert values(pulled)[0] == values(free)[0]
    assert values(pulled)[1] != values(free)[1]


def test_plan_times_both_phases(config: Config, make_job: MakeJob) -> None:
    config["strategy"] = LP_FT
    engine = Engine(threads=1)
    engine.admit(make_job("estimate", "estimate-main"))
    (ended,) = engine.step()
    assert ended["result"]["num_steps"] == 12 + 16
    assert ended["result"]["trial_seconds"] > 0


def test_replaced_body_refuses_token_ids() -> None:
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    model = BertForSequenceClassification(config).eval()
    body = model.bert
    replace_body(model, Features("first", torch.zeros(50, 8)))
    with pytest.raises(IndexError):
        model(input_ids=torch.tensor([[3, 4]]))
    put_back_body(model)
    put_back_body(model)
    assert model.bert is body
    assert np.isfinite(model(input_ids=torch.tensor([[3, 4]])).logits.detach().numpy()).all()
