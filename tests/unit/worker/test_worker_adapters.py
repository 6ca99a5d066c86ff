"""Trials of every strategy that goes through PEFT: they learn, are kept, exported, and answer alike elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import Linear
from test_worker_engine import finish

from ftsweep.control.jobs import as_error
from ftsweep.errors import ConfigError, MissingExtraError, UsageError
from ftsweep.executors.failure import describe_failure
from ftsweep.models.quantised import quantised_arguments
from ftsweep.serving.model import load_predictor
from ftsweep.store.folders import TrialFolder
from ftsweep.strategies import qlora
from ftsweep.strategies.lean import LeanLinear
from ftsweep.strategies.qlora import QLora
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.usefixtures("shallow")

MakeJob = Callable[..., dict[str, Any]]
TARGET = "ftsweep.strategies"
STRATEGIES = {
    "pissa": {"_target_": f"{TARGET}.lora.Lora", "rank": 4, "init": "pissa"},
    "dora": {"_target_": f"{TARGET}.lora.Lora", "rank": 4, "dora": True, "rslora": True},
    "ia3": {"_target_": f"{TARGET}.ia3.Ia3"},
    "prompt_tuning": {"_target_": f"{TARGET}.prompt_tuning.PromptTuning", "num_virtual_tokens": 4},
    "prefix_tuning": {"_target_": f"{TARGET}.prefix_tuning.PrefixTuning", "num_virtual_tokens": 4},
}


@pytest.fixture
def small(config: dict[str, Any]) -> dict[str, Any]:
    """The job's config, with few rows and two rungs."""
    for split, count in (("train", 24), ("validation", 8), ("test", 8)):
        path = Path(config["data"][split])
        rows = path.read_text(encoding="utf-8").splitlines()[:count]
        path.write_text("\n".join(rows), encoding="utf-8")
    config["rungs"]["count"] = 2
    config["training"]["learning_rate"] = 2e-2
    return config


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_trial_learns_and_its_model_measures_and_answers_alike_wherever_it_is_loaded(
    make_job: MakeJob, small: dict[str, Any], tmp_path: Path, name: str
) -> None:
    small["strategy"] = STRATEGIES[name]
    small["data"]["test"] = small["data"]["validation"]
    engine = Engine(threads=1)
    job = make_job()
    measured, ended = finish(engine, job)
    assert ended["outcome"]["kind"] == "complete"
    losses = [measurement.values["train/loss"] for measurement in measured]
    assert losses[-1] < losses[0] - 0.01
    best = measured[ended["outcome"]["best_rung"]].values["validation/loss"]
    _, tested = finish(engine, make_job("test", "test-0000", folder=job["folder"]))
    assert tested["result"]["test"]["loss"] == pytest.approx(best, abs=1e-5)

    destination = tmp_path / "model"
    _, exported = finish(engine, make_job("export", "export-0000", folder=job["folder"], destination=str(destination)))
    assert json.loads((destination / "adapter_config.json").read_text())["peft_type"]
    torch.manual_seed(99)
    answers = load_predictor(destination, allowed=()).predict(exported["result"]["rows"])
    for answer, expected in zip(answers, exported["result"]["answers"], strict=True):
        assert answer["scores"] == pytest.approx(expected["scores"], abs=1e-5)


def test_a_trial_in_mixed_precision_casts_its_adapter_once_a_pass_and_measures_what_pefts_layers_do(
    make_job: MakeJob, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    small["model"]["dtype"] = small["training"]["precision"] = "bfloat16"
    num_casts = 0
    copy = torch._foreach_copy_

    def counted(*args: Any) -> None:
        nonlocal num_casts
        num_casts += 1
        copy(*args)

    monkeypatch.setattr(torch, "_foreach_copy_", counted)
    found = []
    for name in ("lean", "pefts"):
        measured, ended = finish(Engine(threads=1), make_job(name=f"trial-{name}"))
        assert ended["outcome"]["kind"] == "complete"
        found.append([measurement.values["validation/loss"] for measurement in measured])
        if name == "lean":
            assert num_casts == 2 * ended["outcome"]["extra"]["num_steps"] + len(measured)
        monkeypatch.setattr(LeanLinear, "forward", Linear.forward)
    assert found[0] == pytest.approx(found[1], abs=0.02)
    assert found[0][-1] < found[0][0] - 0.05


def test_layers_and_lengths_that_do_not_exist_are_refused_before_the_first_trial(
    make_job: MakeJob, small: dict[str, Any]
) -> None:
    small["strategy"] = {"_target_": f"{TARGET}.lora.Lora", "targets": ["q_proj"]}
    finish(Engine(threads=1), make_job("prepare", "prepare-main", strategies=[]))
    searched = [{**small["strategy"], "targets": ["q_prj"]}]
    with pytest.raises(ConfigError, match=r"strategy\.targets: 'q_prj' is no linear layer"):
        finish(Engine(threads=1), make_job("prepare", "prepare-main", strategies=searched))
    searched = [{**STRATEGIES["prompt_tuning"], "num_virtual_tokens": 1020}]
    with pytest.raises(ConfigError, match=r"num_virtual_tokens: 1020 virtual tokens"):
        finish(Engine(threads=1), make_job("prepare", "prepare-main", strategies=searched))


def test_what_a_strategy_cannot_honour_is_refused_by_the_worker_too(make_job: MakeJob, small: dict[str, Any]) -> None:
    small["strategy"] = STRATEGIES["prefix_tuning"]
    small["training"]["gradient_checkpointing"] = True
    job = make_job()
    with pytest.raises(ConfigError, match=r"training\.gradient_checkpointing"):
        finish(Engine(threads=1), job)
    assert TrialFolder(Path(job["folder"])).outcome() is None


def test_a_base_in_four_bits_is_refused_without_cuda_and_without_the_extra(
    make_job: MakeJob, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    small["strategy"] = {"_target_": f"{TARGET}.qlora.QLora"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"^strategy: a 4-bit base needs a CUDA device.*strategy=lora"):
        finish(Engine(threads=1), make_job("prepare", "prepare-main"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(qlora, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError) as raised:
        QLora().check_machine()
    told = as_error(describe_failure("prepare-main", raised.value))
    assert isinstance(told, UsageError)
    assert told.exit_code == 2
    assert str(told) == (
        "strategy=qlora needs the package 'bitsandbytes', which is not installed. "
        "Install it with: pip install 'ftsweep[qlora]'."
    )


def test_what_trains_beside_the_adapters_is_not_held_in_four_bits() -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, BertConfig, LlamaConfig
    from transformers.quantizers.quantizers_utils import should_convert_module

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    cases: list[tuple[Any, Any, set[str]]] = [
        (BertConfig(**sizes), AutoModelForSequenceClassification, {"bert.pooler.dense", "classifier"}),
        (LlamaConfig(**sizes), AutoModelForSequenceClassification, {"score"}),
        (LlamaConfig(**sizes), AutoModelForCausalLM, {"lm_head"}),
    ]
    for config, auto_class, kept in cases:
        given = quantised_arguments(config, auto_class, torch.bfloat16, torch.device("cuda", 0))
        settings = given["quantization_config"]
        assert (settings.bnb_4bit_quant_type, settings.bnb_4bit_compute_dtype) == ("nf4", torch.bfloat16)
        with torch.device("meta"):
            model = auto_class.from_config(config)
        linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
        assert {n for n in linear if not should_convert_module(n, settings.llm_int8_skip_modules)} == kept
