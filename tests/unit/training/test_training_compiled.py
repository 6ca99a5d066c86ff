from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_steps import finish
from torch._inductor import cpp_builder

from ftsweep.errors import ConfigError
from ftsweep.training import compiled
from ftsweep.training.lanes.fit import refusal
from ftsweep.worker.components import Components
from ftsweep.worker.engine import Engine

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*should not be instantiated:DeprecationWarning"  # by torch, of own gradients
)
MakeJob = Callable[..., dict[str, Any]]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Has programs made by torch's compiler, but run as they are: which of them each run was of."""
    found: list[int] = []
    programs: list[object] = []

    def backend(program: torch.fx.GraphModule, _inputs: object) -> Callable[..., Any]:
        number = len(programs)
        programs.append(program)

        def run(*inputs: Any) -> Any:
            found.append(number)
            return program(*inputs)

        return run

    monkeypatch.setattr(compiled, "BACKEND", backend)
    torch.compiler.reset()
    yield found
    torch.compiler.reset()


@pytest.fixture
def small(config: dict[str, Any]) -> dict[str, Any]:
    """One layer of the model trains, the others are looked up: what torch has to follow is short."""
    config["strategy"] = {"_target_": "ftsweep.strategies.TopLayers", "num_layers": 1}
    config["rungs"]["count"] = 2
    return config


def test_each_training_pass_is_a_compiled_one_and_no_measurement_is(
    make_job: MakeJob, small: dict[str, Any], runs: list[int]
) -> None:
    engine = Engine(threads=1)
    plain, _ = finish(engine, make_job(name="trial-0000"))
    small["training"]["compile"] = True
    quick, ended = finish(engine, make_job(name="trial-0001"))
    for left, right in zip(plain, quick, strict=True):
        assert left.values == pytest.approx(right.values, abs=1e-6)
    assert len(runs) == ended["outcome"]["extra"]["num_steps"]
    assert 0 < ended["outcome"]["extra"]["compile_seconds"] < ended["outcome"]["extra"]["train_seconds"]
    small["training"]["learning_rate"] /= 2
    _, later = finish(engine, make_job(name="trial-0002"))
    assert set(runs) == {0}, "the next trial runs what the first one had compiled"
    assert "compile_seconds" not in later["outcome"]["extra"]
    before = len(runs)
    _, planned = finish(engine, make_job("estimate", "estimate-main"))
    assert planned["result"]["plain_step_seconds"] > 0
    assert planned["result"]["compile_seconds"] >= 0
    assert 1 < len(runs) - before <= planned["result"]["num_steps"], "steps are timed with programs and without"
    small["training"]["compile"] = False
    before = len(runs)
    finish(engine, make_job(name="trial-0003"))
    assert len(runs) == before


def test_what_torch_cannot_compile_ends_the_trial_in_words(
    make_job: MakeJob, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch, runs: list[int]
) -> None:
    def refuses(_program: object, _inputs: object) -> None:
        raise NotImplementedError("no kernel for this")

    monkeypatch.setattr(compiled, "BACKEND", refuses)
    small["training"]["compile"] = True
    with pytest.raises(ConfigError, match=r"^training\.compile: torch cannot compile LlamaModel: .*no kernel for this"):
        finish(Engine(threads=1), make_job())
    assert not runs


def test_a_machine_without_a_compiler_is_told_before_anything_trains(
    make_job: MakeJob, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    cpp_builder.cpp_compiler_search.cache_clear()
    small["training"]["compile"] = True
    job = make_job("prepare", "prepare-main", strategies=[])
    try:
        with pytest.raises(ConfigError, match=r"^training\.compile: .*a C\+\+ compiler.* apt install g\+\+"):
            finish(Engine(threads=1), job)
    finally:
        cpp_builder.cpp_compiler_search.cache_clear()


def test_programs_are_thrown_away_before_torch_would_make_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    thrown: list[bool] = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: thrown.append(True))
    clock = compiled._Clock(num_programs=32)
    clock.wind()
    assert not thrown
    clock.num_programs += 1
    clock.wind()
    assert thrown
    assert clock.num_programs == 0


def test_a_compiled_trial_is_no_lane(config: dict[str, Any], tmp_path: Path) -> None:
    components = Components()
    parts = components.parts_of(config, tmp_path / "cache")
    assert refusal(parts, components.evaluator_of(parts), is_exact=True) is None
    config["training"]["compile"] = True
    reason = refusal(parts, components.evaluator_of(parts), is_exact=True)
    assert reason is not None
    assert "training.compile" in reason
