"""Preference pairs through a worker's engine: one reference for all trials, and a model that learns from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_steps import finish
from training_rows import write_rows

from ftsweep.errors import ConfigError
from ftsweep.serving.model import load_predictor
from ftsweep.training import references
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

MakeJob = Callable[..., dict[str, Any]]


def pairs(count: int, offset: int = 0) -> list[dict[str, str]]:
    """A number's last digit is the answer; that of another number is not."""
    return [
        {
            "prompt": f"Say {n % 10} {n}",
            "chosen": f"it is {n % 10}",
            "rejected": f"it is {(n * 7 + 3 + n // 10) % 10 + 10}",
        }
        for n in range(offset, offset + count)
    ]


@pytest.fixture
def config(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    for split, (count, offset) in {"train": (48, 0), "validation": (16, 1000), "test": (16, 2000)}.items():
        config["data"][split] = write_rows(tmp_path / f"{split}.jsonl", pairs(count, offset))
    config["task"] = {"_target_": "ftsweep.tasks.Preference", "max_length": 32, "beta": 0.5}
    config["rungs"]["count"] = 2
    return config


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many examples each computation of a reference had."""
    found: list[int] = []
    real = references.reference_values

    def counted(model: Any, split: Any, evaluator: Any) -> Any:
        found.append(len(split))
        return real(model, split, evaluator)

    monkeypatch.setattr(references, "reference_values", counted)
    return found


@pytest.mark.parametrize("strategy", ["Lora", "Full"])
def test_the_margin_grows_from_nothing(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], strategy: str
) -> None:
    config["strategy"] = {"_target_": f"ftsweep.strategies.{strategy}"}
    measured, ended = finish(engine, make_job())
    assert ended["outcome"]["kind"] == "complete"
    first, last = measured[0].values, measured[-1].values
    assert first["validation/margin"] == pytest.approx(0, abs=1e-4)
    assert first["validation/loss"] == pytest.approx(0.6931, abs=1e-3)
    assert last["validation/margin"] > 0.1
    assert last["validation/accuracy"] > 0.8
    assert last["validation/loss"] < first["validation/loss"]
    _, tested = finish(engine, make_job("test"))
    assert tested["result"]["test"]["accuracy"] > 0.8
    assert set(tested["result"]["intervals"]) == {"loss", "accuracy", "ranking_accuracy", "margin"}


def test_one_reference_serves_every_beta_loss_and_worker(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], calls: list[int]
) -> None:
    finish(engine, make_job("prepare", "prepare-main"))
    finish(engine, make_job())
    assert calls == [48, 16, 16]
    config["task"] |= {"beta": 0.05, "loss": "ipo"}
    finish(Engine(threads=1), make_job(name="trial-0001"))
    assert calls == [48, 16, 16], "read from the cache"
    config["strategy"] = {"_target_": "ftsweep.strategies.Full"}  # the same base in the same type
    finish(engine, make_job(name="trial-0002"))
    assert calls == [48, 16, 16]
    config["task"]["max_length"] = 31
    finish(engine, make_job(name="trial-0003"))
    assert calls == [48, 16, 16] * 2


def test_orpo_needs_no_reference(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], calls: list[int], tmp_path: Path
) -> None:
    config["task"]["loss"] = "orpo"
    measured, _ = finish(engine, make_job())
    assert calls == []
    assert not (tmp_path / "cache" / "references").exists()
    assert measured[-1].values["validation/ranking_accuracy"] > measured[0].values["validation/ranking_accuracy"] - 1e-9


def test_a_damaged_reference_is_made_again(engine: Engine, make_job: MakeJob, calls: list[int], tmp_path: Path) -> None:
    whole, _ = finish(engine, make_job())
    (file,) = (tmp_path / "cache" / "references").glob("*/values.safetensors")
    file.write_bytes(file.read_bytes()[:40])
    again, _ = finish(Engine(threads=1), make_job(name="trial-0001"))
    assert len(calls) == 6
    assert again[-1].values == pytest.approx(whole[-1].values)


def test_the_exported_model_compares_answers(
    engine: Engine, make_job: MakeJob, config: dict[str, Any], tmp_path: Path
) -> None:
    finish(engine, make_job())
    _, ended = finish(engine, make_job("export", destination=str(tmp_path / "model")))
    assert json.dumps(ended["result"]["answers"])
    answers = load_predictor(tmp_path / "model").predict(pairs(4, 3000))
    assert [answer["preferred"] for answer in answers] == ["chosen"] * 4
    assert all(answer["margin"] > 0 for answer in answers)


def test_a_pull_to_the_base_is_refused_beside_the_losses_own(
    engine: Engine, make_job: MakeJob, config: dict[str, Any]
) -> None:
    config["training"]["kl_to_base"] = 0.1
    with pytest.raises(ConfigError, match="hold it to the base already"):
        finish(engine, make_job())
