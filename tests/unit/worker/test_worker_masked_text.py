"""Masked text through a worker's engine: a trial of its own, and a stage before tasks that have a new head."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_steps import finish, step
from safetensors.torch import load_file
from training_rows import write_rows

from ftsweep.domain.finding import Finding, Severity
from ftsweep.errors import ConfigError, ModelError
from ftsweep.serving.model import load_predictor
from ftsweep.store.folders import TrialFolder
from ftsweep.testing.random_models import byte_tokenizer, random_bert
from ftsweep.training import checkpoint
from ftsweep.worker.engine import Engine
from ftsweep.worker.portable_export import open_elsewhere

MakeJob = Callable[..., dict[str, Any]]
MASKED = {"_target_": "ftsweep.tasks.MaskedText", "max_length": 64, "packed": True}
FULL = {"_target_": "ftsweep.strategies.Full"}
LORA = {"_target_": "ftsweep.strategies.Lora", "rank": 4}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two random layers with a head for masked words, and a tokenizer without an end-of-text token."""
    return saved(random_bert("masked_lm"), tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same layers as those are saved that embed sentences: with a pooler, without that head."""
    return saved(random_bert().base_model, tmp_path_factory.mktemp("headless"))


def saved(model: Any, folder: Path) -> dict[str, Any]:
    model.save_pretrained(folder)
    tokenizer = byte_tokenizer(extra=["<mask>"], mask_token="<mask>")
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    return {"_target_": "ftsweep.models.LocalModel", "path": str(folder), "dtype": "auto"}


@pytest.fixture
def config(config: dict[str, Any], tmp_path: Path, encoder: dict[str, Any]) -> dict[str, Any]:
    pages = [{"text": f"in {word} the old harbour sleeps"} for word in words(40)]
    config["model"] = encoder
    config["pages"] = write_rows(tmp_path / "pages.jsonl", pages)
    general = [{"text": f"nothing {word} happens here"} for word in words(20)]
    config["general"] = {"_target_": "ftsweep.data.Files", "train": write_rows(tmp_path / "general.jsonl", general)}
    config["training"] |= {"batch_size": 4, "epochs": 3, "learning_rate": 5e-3}
    config["rungs"]["count"] = 3
    return config


def words(count: int) -> list[str]:
    """Words of letters: digits are masked when texts are compared."""
    return ["".join(chr(ord("a") + int(digit)) for digit in f"{number:03d}") for number in range(count)]


def as_masked(config: dict[str, Any]) -> dict[str, Any]:
    config["data"] = {"_target_": "ftsweep.data.Files", "train": config.pop("pages")}
    config["task"] = dict(MASKED)
    return config


def as_stage(config: dict[str, Any], strategy: dict[str, Any]) -> dict[str, Any]:
    config["stages"]["domain"] = {
        "data": {"_target_": "ftsweep.data.Files", "train": config.pop("pages")},
        "task": dict(MASKED),
        "strategy": dict(strategy),
        "training": {**config["training"], "replay": 0.2},
    }
    config["training"]["epochs"] = 1
    return config


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # PEFT asks by this name
@pytest.mark.parametrize("base", ["encoder", "headless"])
@pytest.mark.parametrize("strategy", [FULL, LORA], ids=["full", "lora"])
def test_an_encoder_learns_its_domain_and_opens_elsewhere(
    make_job: MakeJob,
    config: dict[str, Any],
    tmp_path: Path,
    strategy: dict[str, Any],
    base: str,
    request: pytest.FixtureRequest,
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForMaskedLM, pipeline

    as_masked(config)["strategy"] = dict(strategy)
    config["model"] = request.getfixturevalue(base)
    engine = Engine(threads=1)
    _, prepared = finish(engine, make_job("prepare", "prepare-main"))
    told = [Finding.from_dict(each) for each in prepared["result"]["findings"] if each["check"] == "model"]
    measured, ended = finish(engine, make_job())
    assert measured[-1].values["validation/loss"] < measured[0].values["validation/loss"] - 0.3
    metrics = ended["outcome"]["extra"]["metrics"]
    assert metrics["general/loss"] > 0
    if base == "headless":
        assert [(each.severity, each.message.split(":")[0]) for each in told] == [
            (Severity.WARN, "the base's files have no head for masked words")
        ]
        assert not {"general/loss_before", "general/forgetting"} & metrics.keys(), (
            "a drawn head knows nothing to forget"
        )
    else:
        assert not told
        assert metrics["general/loss_before"] > 0
    _, exported = finish(engine, make_job("export", destination=str(tmp_path / "model")))
    assert exported["result"]["answers"][0]["perplexity"] > 1
    rows = [{"text": "in aaa the old harbour sleeps"}]
    own = load_predictor(tmp_path / "model").predict(rows)
    open_elsewhere(tmp_path / "model")
    models = [pipeline("fill-mask", model=str(tmp_path / "model"), device=-1).model]
    if strategy is LORA:
        below = AutoModelForMaskedLM.from_pretrained(tmp_path / "model" / "base")
        models.append(PeftModel.from_pretrained(below, str(tmp_path / "model")))
    predictor = load_predictor(tmp_path / "model")
    for model in models:
        theirs = predictor.task.predict(model.eval(), predictor.tokenizer, {}, rows, batch_size=1)
        assert theirs[0]["loss"] == pytest.approx(own[0]["loss"], abs=1e-5)


def test_a_killed_trial_sees_the_same_masks(
    make_job: MakeJob, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE_OF_TIME", math.inf)  # a checkpoint at every rung
    as_masked(config)
    whole, _ = finish(Engine(threads=1), make_job())
    job, killed = make_job(name="trial-0001"), Engine(threads=1)
    killed.admit(job)
    num_measured = 0
    while num_measured < 2:
        for message in step(killed):
            num_measured += 1
            killed.answer({"type": "continue", "job": message["job"]})
    finish(Engine(threads=1), job)
    again = TrialFolder(Path(job["folder"])).measurements()
    assert [each.values for each in again] == [each.values for each in whole]


def test_what_a_drawn_head_cannot_tell_is_not_asked_of_it(
    make_job: MakeJob, config: dict[str, Any], headless: dict[str, Any]
) -> None:
    as_masked(config)["model"] = headless
    config["training"]["kl_to_base"] = 0.1
    with pytest.raises(ConfigError, match="newly drawn, and has no answers"):
        finish(Engine(threads=1), make_job("prepare", "prepare-main"))
    with pytest.raises(ConfigError, match="newly drawn, and has no answers"):
        finish(Engine(threads=1), make_job())
    config["training"]["kl_to_base"] = 0.0
    guard = {"_target_": "ftsweep.guards.Forgetting", "mode": "on", "limit": 0.1, "tokens": 1024}
    config["guards"] = {"forgetting": guard}
    with pytest.raises(ModelError, match="one that is drawn tells none"):
        finish(Engine(threads=1), make_job("prepare", "prepare-main"))


@pytest.mark.parametrize(
    ("base", "strategy", "kind"),
    [
        ("encoder", FULL, "classification"),
        ("encoder", LORA, "tagging"),
        ("headless", FULL, "tagging"),
        ("headless", LORA, "classification"),
    ],
    ids=["full", "lora", "drawn-full", "drawn-lora"],
)
def test_a_stage_of_masked_text_stands_before_a_new_head(
    make_job: MakeJob,
    config: dict[str, Any],
    tmp_path: Path,
    strategy: dict[str, Any],
    kind: str,
    base: str,
    request: pytest.FixtureRequest,
) -> None:
    config["model"] = request.getfixturevalue(base)
    if kind == "tagging":
        rows = [{"tokens": ["the", word, "sleeps"], "tags": ["O", "B-place", "O"]} for word in words(24)]
        config["data"] = {"_target_": "ftsweep.data.Files", "train": write_rows(tmp_path / "tags.jsonl", rows)}
        config["task"] = {"_target_": "ftsweep.tasks.TokenClassification", "max_length": 32}
    as_stage(config, strategy)
    engine = Engine(threads=1)
    _, prepared = finish(engine, make_job("prepare", "prepare-main"))
    assert set(prepared["result"]["texts"]) == {"stages.domain.data", "general"}
    finish(engine, make_job("baseline", "baseline-main"))
    measured, ended = finish(engine, make_job())
    stage = ended["outcome"]["extra"]["stages"]["domain"]
    assert stage["after"]["own"]["loss"] < stage["before"]["own"]["loss"]
    assert "loss" in stage["after"]["general"]
    assert ("general" in stage["before"]) == (base == "encoder")
    (folder,) = {path.parent for path in (tmp_path / "cache" / "stages").glob("*/stage.json")}
    before = load_file(Path(config["model"]["path"]) / "model.safetensors")
    after = load_file(folder / "model.safetensors")
    name = next(name for name in after if name.endswith("query.weight"))
    assert not torch.equal(before[name if base == "encoder" else name.removeprefix("bert.")], after[name])
    assert measured[-1].rung == 3
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["BertForMaskedLM"]
