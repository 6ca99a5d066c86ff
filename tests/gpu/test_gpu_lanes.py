"""Trials that share padded passes on a CUDA device: the numbers that each comes to alone, without waiting for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]

SETTINGS = (
    {"rank": 4, "batch_size": 16, "learning_rate": 5e-3, "dropout": 0.0},
    {"rank": 8, "batch_size": 8, "learning_rate": 2e-3, "dropout": 0.1},
    {"rank": 2, "batch_size": 12, "learning_rate": 1e-2, "dropout": 0.0},
)


@pytest.fixture
def make_job(config: dict[str, Any], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def make(name: str, number: int, *, rank: int, dropout: float, **training: Any) -> dict[str, Any]:
        own = json.loads(json.dumps(config))
        own["strategy"] |= {"rank": rank, "dropout": dropout}
        own["training"] |= training
        own["seed"]["model"] = number
        folders = {"folder": str(tmp_path / name), "cache": str(tmp_path / "cache")}
        spec = {"number": number, "branch": "", "is_default": False, "params": {}, "config": own}
        return {"type": "train", "job": name, **folders, "spec": spec}

    return make


def run(engine: Any, jobs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for job in jobs:
        engine.admit(job)
    while engine.is_busy:
        for message in engine.step():
            assert message["type"] in ("measured", "ended"), message
            yield message
            engine.answer({"type": "continue", "job": message["job"]})


def curves(messages: Iterator[dict[str, Any]], jobs: list[dict[str, Any]]) -> tuple[list[list[float]], list[Any]]:
    """Validation losses of these jobs, and what their outcomes tell."""
    found: dict[str, list[float]] = {job["job"]: [] for job in jobs}
    extra = {}
    for message in messages:
        if message["type"] == "measured":
            found[message["job"]].append(message["measurement"]["values"]["validation/loss"])
        else:
            extra[message["job"]] = message["outcome"]["extra"]
    return list(found.values()), [extra[name] for name in found]


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("auto", 0.05)])
def test_lanes_come_to_the_curves_of_trials_alone_and_give_all_memory_back(
    make_job: Callable[..., dict[str, Any]], config: dict[str, Any], precision: str, tolerance: float
) -> None:
    from ftsweep.worker.engine import Engine

    config["training"]["precision"] = precision
    one, three = Engine(), Engine(lanes=3)
    alone = [make_job(f"alone-{number}", number, **each) for number, each in enumerate(SETTINGS)]
    expected = [curves(run(one, [job]), [job])[0][0] for job in alone]
    beside = [make_job(f"beside-{number}", number, **each) for number, each in enumerate(SETTINGS)]
    found, extra = curves(run(three, beside), beside)
    assert [each.get("alone") for each in extra] == [None] * 3
    assert min(each["shared_steps"] for each in extra) >= 10
    assert found == [pytest.approx(each, abs=tolerance) for each in expected]
    assert not three.is_spent


def test_in_float64_six_unlike_lanes_come_to_what_each_comes_to_alone() -> None:
    from lane_crew import HEAD, SIX, crew_of, largest_apart

    from ftsweep.testing.random_models import random_llama

    device = torch.device("cuda", 0)
    alone, beside = (crew_of(random_llama(HEAD), SIX, device=device) for _ in range(2))
    for _ in range(20):
        alone.step(is_shared=False)
        beside.step(is_shared=True)
    assert [lane.refusal for lane in beside.lanes] == [None] * 6
    assert largest_apart(alone.weights(), beside.weights()) < 1e-9


def test_no_shared_step_waits_for_the_device() -> None:
    from lane_crew import HEAD, SIX, crew_of

    from ftsweep.testing.random_models import random_llama

    crew = crew_of(
        random_llama(HEAD), SIX[:2], dtype=torch.bfloat16, autocast=torch.bfloat16, device=torch.device("cuda", 0)
    )
    for number in range(6):
        torch.cuda.set_sync_debug_mode("error" if number >= 4 else "default")  # the first ones check, and allocate
        try:
            crew.step(is_shared=True)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert [lane.num_shared for lane in crew.lanes] == [6, 6]
