"""What `executor.lanes: auto` goes by: steps alone against shared ones, and how many operations each way takes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from training_rows import sentences, write_rows

from ftsweep.testing.random_models import byte_tokenizer, random_llama
from ftsweep.worker.components import Components
from ftsweep.worker.engine import Engine
from ftsweep.worker.lane_rates import LaneRates

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
MakeJob = Callable[..., dict[str, Any]]


@pytest.fixture
def small(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "llama"
    random_llama("sequence_classification").save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    config["model"] = {"_target_": "ftsweep.models.local.LocalModel", "path": str(folder), "dtype": "auto"}
    config["data"]["train"] = write_rows(tmp_path / "train.jsonl", sentences(32))
    config["training"]["batch_size"] = 4
    return config


def rate(make_job: MakeJob, most: int) -> dict[str, Any]:
    engine = Engine(threads=1)
    engine.admit(make_job("rate_lanes", "lanes-main", most=most))
    (ended,) = engine.step()
    assert ended["type"] == "ended", ended
    assert all(not base.num_twins for base in engine.components.bases._bases)
    result: dict[str, Any] = ended["result"]
    return result


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("gains", "lanes", "tried"),
    [((1.05,), 1, ["1", "2"]), ((1.3, 1.35), 2, ["1", "2", "4"]), ((1.3, 1.6), 4, ["1", "2", "4"])],
)
def test_lanes_double_while_a_tenth_more_is_trained(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, gains: tuple[float, ...], lanes: int, tried: list[str]
) -> None:
    by_size = dict(zip((2, 4), gains, strict=False))

    def seconds(self: LaneRates, seated: list[Any], number: int, *, is_shared: bool) -> float:
        return 1.0 if is_shared else by_size[len(seated)]

    monkeypatch.setattr(LaneRates, "_seconds", seconds)
    found = rate(make_job, 6)
    assert (found["lanes"], list(found["rates"])) == (lanes, tried)


@pytest.mark.usefixtures("small")
def test_steps_are_really_timed_both_ways_and_nothing_is_written(make_job: MakeJob, tmp_path: Path) -> None:
    found = rate(make_job, 2)
    assert found["lanes"] in (1, 2)
    assert found["rates"]["2"] > 0
    assert not (tmp_path / "trials").exists()


def test_what_cannot_share_has_one_lane_and_the_reason(small: dict[str, Any], make_job: MakeJob) -> None:
    small["strategy"]["dora"] = True
    assert rate(make_job, 8) == {"lanes": 1, "rates": {}, "reason": "strategy.dora rescales whole weights"}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["_seat", "_seconds"])
def test_lanes_that_do_not_fit_are_not_taken(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real = getattr(LaneRates, name)

    def limited(self: LaneRates, *given: Any, **more: Any) -> Any:
        if given[2] == 2 if name == "_seat" else len(given[0]) > 2:
            raise torch.OutOfMemoryError("tried to allocate 20.00 GiB")
        return real(self, *given) if name == "_seat" else 1.0 if more["is_shared"] else 1.5

    monkeypatch.setattr(LaneRates, name, limited)
    monkeypatch.setattr("ftsweep.worker.lane_rates.GAIN", 0.0)
    found = rate(make_job, 8)
    assert (found["lanes"], list(found["rates"])) == (2, ["1", "2"])
    assert found["reason"] == "4 lanes do not fit into memory"


def test_a_budget_of_few_trials_has_one_lane(small: dict[str, Any], make_job: MakeJob) -> None:
    assert rate(make_job, 1)["lanes"] == 1


def test_eight_lanes_take_at_most_two_thirds_of_the_operations_of_eight_trials_alone(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    crew = import_module("lanes").Crew(Components(), small, tmp_path, 8)
    alone, shared = (crew.operations(is_shared=is_shared) for is_shared in (False, True))
    assert crew.refusals == ""
    assert shared <= 0.67 * alone, (shared, alone)
