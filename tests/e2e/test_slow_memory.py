"""Fifty trials in one worker: the last finds the memory that the tenth found."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def memory_flat(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("memory_flat")


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "lanes"), [("lora", 1), ("full", 1), ("lora", 4)])
def test_worker_is_as_large_after_fifty_trials_as_when_it_was_warm(
    memory_flat: ModuleType, strategy: str, lanes: int
) -> None:
    count = memory_flat.NUM_TRIALS if lanes == 1 else 24
    samples = memory_flat.watch_worker(strategy, count, lanes)
    assert len(samples) == count
    grown = memory_flat.growth(samples)
    assert grown.pop("resident_mib") < memory_flat.MOST_GROWTH_MIB, samples
    assert grown == {"tensors": 0, "modules": 0, "files": 0, "threads": 0}
