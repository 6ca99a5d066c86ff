"""The chosen setting on parts of train, on a simulated executor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from simulated_parts import branch, loss_curve

from ftsweep.control.jobs import Stopped
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.role import Role
from ftsweep.store.atomic import read_json
from ftsweep.store.result import read_result

MakeSweep = Callable[..., LiveStudy]


def hungry_curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
    """Half of train costs 0.2 of loss, a quarter 0.4 and so on."""
    lost = 0.4 * (1 - spec.get("train_share", 1.0))
    return {name: value + lost for name, value in loss_curve(spec, rung).items()}


def searched(make_sweep: MakeSweep, **settings: Any) -> LiveStudy:
    sweep = make_sweep(hungry_curve, trials=5, quantity=True, **settings)
    sweep.prepare()
    sweep.search()
    return sweep


def test_the_chosen_setting_is_trained_on_nested_parts_with_the_confirmations_seeds(make_sweep: MakeSweep) -> None:
    sweep = searched(make_sweep, top=2, seeds=2, share=5.0)
    conclusion = sweep.conclude()
    assert conclusion.quantity is not None
    points = conclusion.quantity.points
    assert [point.num_examples for point in points] == [25, 50, 100]
    assert points[0].mean - points[2].mean == pytest.approx(0.3)
    assert conclusion.quantity.sentence.startswith("More data would still help: from 50% to 100%")
    folders = sorted(path.name for path in (sweep.folder.path / "quantity").iterdir())
    assert conclusion.setting is not None
    number = conclusion.setting.number
    assert folders == [f"{number:04d}-{part}-{index}" for part in ("025", "050") for index in (1, 2)], "100 % is there"
    specs = [read_json(sweep.folder.quantity(number or 0, share, 1).spec_file) for share in (0.25, 0.5)]
    confirmed = read_json(sweep.folder.confirmation(number or 0, 1).spec_file)
    assert [spec["train_share"] for spec in specs] == [0.25, 0.5]
    assert all(spec["config"]["seed"] == confirmed["config"]["seed"] for spec in specs)
    own = {point.share: point.values for point in points}[1.0]
    assert own == conclusion.setting.chosen.seeds


def test_without_confirmation_all_three_parts_are_trained_with_one_fresh_seed(make_sweep: MakeSweep) -> None:
    sweep = searched(make_sweep)
    conclusion = sweep.conclude()
    assert len(list((sweep.folder.path / "quantity").iterdir())) == 3
    assert conclusion.quantity is not None
    assert [len(point.values) for point in conclusion.quantity.points] == [1, 1, 1]


def test_nobody_asked_nothing_is_trained(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(hungry_curve, trials=3)
    sweep.prepare()
    sweep.search()
    assert sweep.conclude().quantity is None
    assert not (sweep.folder.path / "quantity").exists()


def test_a_stop_between_parts_leaves_the_rest_for_the_next_process(make_sweep: MakeSweep) -> None:
    sweep = searched(make_sweep)
    sweep.watch = lambda snapshot: sweep.stop() if "parts of train, 1 of 3" in snapshot.phase else None
    with pytest.raises(Stopped):
        sweep.conclude()
    assert read_result(sweep.folder) is None
    done = {path.name for path in (sweep.folder.path / "quantity").glob("*") if (path / "outcome.json").exists()}
    assert len(done) == 1
    again = searched(make_sweep)
    probed = again.conclude().quantity
    assert probed is not None
    assert not math.isnan(probed.points[2].mean)
    assert not done & {job.removeprefix("quantity-") for job in again.executor.jobs}  # type: ignore[attr-defined]


def test_a_setting_that_learns_from_k_examples_is_not_asked(make_sweep: MakeSweep) -> None:
    sweep = searched(make_sweep, branches=(replace(branch(), role=Role(takes_few=True)),))
    assert "learns from k examples" in sweep.conclude().quantity.sentence  # type: ignore[union-attr]
    assert not (sweep.folder.path / "quantity").exists()
