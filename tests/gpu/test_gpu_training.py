"""Trials on a CUDA device: mixed precision, real out-of-memory, memory given back, continuation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftsweep.store.folders import TrialFolder

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]


def finish(engine: Any, tmp_path: Path, config: dict[str, Any], name: str = "trial-0000") -> tuple[list[Any], Any]:
    job = {
        "type": "train",
        "job": name,
        "folder": str(tmp_path / name),
        "cache": str(tmp_path / "cache"),
        "spec": {"number": 0, "branch": "", "is_default": True, "params": {}, "config": config},
    }
    engine.admit(job)
    measured = []
    while True:
        for message in engine.step():
            if message["type"] == "ended":
                return measured, message["outcome"]
            assert message["type"] == "measured", message
            measured.append(message["measurement"]["values"]["validation/loss"])
            engine.answer({"type": "continue", "job": name})


@pytest.mark.parametrize("strategy", ["lora.Lora", "full.Full"])
def test_trial_learns_in_bfloat16_and_memory_returns_to_its_level(
    engine: Any, tmp_path: Path, config: dict[str, Any], strategy: str
) -> None:
    config["strategy"] = {"_target_": f"ftsweep.strategies.{strategy}"}
    if strategy.startswith("full"):
        config["training"]["learning_rate"] = 5e-4
    levels = []
    for number in range(4):
        measured, outcome = finish(engine, tmp_path, config, f"trial-{number:04d}")
        assert outcome["kind"] == "complete"
        assert measured[-1] < 0.7 * measured[0]
        levels.append(torch.cuda.memory_allocated())
    assert max(levels[1:]) - min(levels[1:]) < 1 << 20
    assert not engine.is_spent


@pytest.mark.parametrize("strategy", ["lora.Lora", "full.Full"])
def test_no_step_waits_for_the_device(
    engine: Any, tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    from ftsweep.training.step import Stepper

    take = Stepper.take

    def watched(self: Stepper) -> None:
        torch.cuda.set_sync_debug_mode("error" if self.num_steps >= 2 else "default")  # the first ones allocate
        try:
            take(self)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(Stepper, "take", watched)
    config["strategy"] = {"_target_": f"ftsweep.strategies.{strategy}"}
    _, outcome = finish(engine, tmp_path, config)
    assert outcome["kind"] == "complete"


def test_real_out_of_memory_is_infeasible_and_the_next_trial_runs(
    engine: Any, tmp_path: Path, config: dict[str, Any]
) -> None:
    finish(engine, tmp_path, config)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (1 << 20)) / total)
    config["task"]["max_length"] = 31  # another prepared set; the same model
    _, outcome = finish(engine, tmp_path, config, "trial-0001")
    assert outcome["kind"] == "infeasible"
    torch.cuda.set_per_process_memory_fraction(1.0)
    _, outcome = finish(engine, tmp_path, config, "trial-0002")
    assert outcome["kind"] == "complete"


def test_float32_precision_is_float32_arithmetic(engine: Any, tmp_path: Path, config: dict[str, Any]) -> None:
    config["training"]["precision"] = "float32"
    on_gpu, _ = finish(engine, tmp_path, config)
    config["training"]["precision"] = "auto"
    mixed, _ = finish(engine, tmp_path, config, "trial-0001")
    assert on_gpu != mixed
    assert on_gpu[0] == pytest.approx(mixed[0], abs=0.05)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:TensorFloat32 tensor cores:UserWarning")
def test_compiled_passes_train_as_plain_ones(engine: Any, tmp_path: Path, config: dict[str, Any]) -> None:
    config["training"]["precision"] = "float32"
    plain, _ = finish(engine, tmp_path, config)
    config["training"]["compile"] = True
    compiled, outcome = finish(engine, tmp_path, config, "trial-0001")
    assert outcome["extra"]["compile_seconds"] > 0
    assert compiled == pytest.approx(plain, abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_devices_norm_is_that_of_transformers(dtype: torch.dtype) -> None:
    from copy import deepcopy

    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    from ftsweep.models.lean_norm import LeanNorm, lean_norms

    plain = LlamaRMSNorm(64).to("cuda", dtype)
    lean = deepcopy(plain)
    lean_norms(lean)
    assert isinstance(lean, LeanNorm)
    x = torch.randn(3, 5, 64, device="cuda", dtype=dtype, requires_grad=True)
    gradient = torch.randn_like(x)
    for mixed in (False, True):
        with torch.autocast("cuda", torch.bfloat16, enabled=mixed):
            expected, found = plain(x), lean(x)
        assert found.dtype == expected.dtype
        of_plain, of_lean = (torch.autograd.grad(each, x, gradient)[0] for each in (expected, found))
        atol = 1e-5 if dtype == torch.float32 else 0.05
        torch.testing.assert_close(found, expected, rtol=0.01, atol=atol)
        torch.testing.assert_close(of_lean, of_plain, rtol=0.01, atol=atol)


def test_trial_measures_are_on_disk_and_weights_are_kept(engine: Any, tmp_path: Path, config: dict[str, Any]) -> None:
    measured, _ = finish(engine, tmp_path, config)
    folder = TrialFolder(tmp_path / "trial-0000")
    assert [entry.values["validation/loss"] for entry in folder.measurements()] == measured
    assert (folder.best / "adapter_model.safetensors").exists()


@pytest.mark.parametrize(
    "strategy",
    [
        {"_target_": "ftsweep.strategies.LinearProbe"},
        {"_target_": "ftsweep.strategies.HeadThenFull", "head_epochs": 2},
        {"_target_": "ftsweep.strategies.TopLayers", "num_layers": 1},
    ],
    ids=["head", "head_then_full", "top_layers"],
)
def test_frozen_bodies_train_and_give_all_memory_back(
    engine: Any, tmp_path: Path, config: dict[str, Any], strategy: dict[str, Any]
) -> None:
    config["strategy"] = strategy
    losses, outcome = finish(engine, tmp_path, config)
    assert outcome["kind"] == "complete"
    assert losses[-1] < losses[0]
    assert not engine.is_spent


def test_head_on_cached_features_trains_as_on_the_body(
    engine: Any, tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config["strategy"] = {"_target_": "ftsweep.strategies.LinearProbe"}
    config["training"]["precision"] = "float32"
    cached, _ = finish(engine, tmp_path, config, "cached")
    monkeypatch.setattr("ftsweep.training.runs.choice.cached_features", lambda model, parts, evaluator: None)
    plain, _ = finish(engine, tmp_path, config, "plain")
    assert cached == pytest.approx(plain, abs=1e-5)
