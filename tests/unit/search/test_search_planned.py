"""What a study tries before its sampler proposes anything."""

from __future__ import annotations

from typing import Any

import pytest

from ftsweep.domain.points import num_points, point
from ftsweep.domain.space import Branch, Choice, FloatInterval, IntInterval, Space
from ftsweep.errors import ConfigError
from ftsweep.search.planned import planned_settings

CONFIG = {"training": {"learning_rate": 1e-3, "batch_size": 16}, "strategy": {"targets": {"kind": "all"}}}
SPACE = Space(
    {
        "training.learning_rate": FloatInterval(1e-4, 1e-2, log=True),
        "training.batch_size": Choice((8, 16)),
        "strategy.targets": Choice(({"kind": "all"}, {"kind": "some"})),
    }
)
ONE = [Branch("", CONFIG, SPACE)]
TWO = [Branch("full", CONFIG, SPACE), Branch("lora", CONFIG, SPACE)]
TARGETS = {"kind": "all"}


def test_defaults_come_first_and_only_where_they_lie_in_the_space() -> None:
    outside = Branch("head", {"training": {"learning_rate": 1.0, "batch_size": 8}, "strategy": {}}, Space({}))
    narrow = Branch("narrow", CONFIG, Space({"training.batch_size": Choice((64, 128))}))
    plan = planned_settings([*TWO, narrow, outside])
    assert [(item.branch.name, item.is_default) for item in plan] == [("full", True), ("lora", True), ("head", True)]
    assert plan[1].params == {
        "lora.training.learning_rate": 1e-3,
        "lora.training.batch_size": 16,
        "lora.strategy.targets": TARGETS,
    }


@pytest.mark.parametrize(
    "setting",
    [
        {"training.learning_rate": 5e-4, "training.batch_size": 8},
        {"training": {"learning_rate": 5e-4, "batch_size": 8}},
        {"training": {"learning_rate": 5e-4}, "training.batch_size": 8, "strategy": {"targets": {"kind": "all"}}},
    ],
)
def test_enqueued_setting_may_be_dotted_or_nested_and_partial(setting: dict[str, Any]) -> None:
    _, item = planned_settings(ONE, [setting])
    assert not item.is_default
    assert item.params == {
        "training.learning_rate": 5e-4,
        "training.batch_size": 8,
        "strategy.targets": TARGETS,
    }


@pytest.mark.parametrize(
    "setting",
    [
        {"branch": "lora", "training.batch_size": 8},
        {"lora.training.batch_size": 8},
        {"lora": {"training": {"batch_size": 8}}},
        {"branch": "lora", "lora.training.batch_size": 8},
    ],
)
def test_enqueued_setting_names_its_branch(setting: dict[str, Any]) -> None:
    item = planned_settings(TWO, [setting])[-1]
    assert item.branch.name == "lora"
    assert item.params["lora.training.batch_size"] == 8


@pytest.mark.parametrize(
    "setting",
    [
        {"branch": "training", "training.batch_size": 8},
        {"branch": "training", "training": {"batch_size": 8}},
        {"training.training.batch_size": 8},
    ],
)
def test_a_branch_may_be_called_as_a_node_is(setting: dict[str, Any]) -> None:
    item = planned_settings([Branch("full", CONFIG, SPACE), Branch("training", CONFIG, SPACE)], [setting])[-1]
    assert item.params["training.training.batch_size"] == 8


@pytest.mark.parametrize(
    ("branches", "setting", "says"),
    [
        (ONE, {"training.learning_rat": 1e-3}, r"enqueue\[0\].*learning_rat.*Did you mean 'training.learning_rate'"),
        (ONE, {"training.batch_size": 9}, r"training.batch_size=9.*\{8, 16\}"),
        (TWO, {"training.batch_size": 8}, "does not say to which one branch"),
        (TWO, {"branch": "lra", "training.batch_size": 8}, "Did you mean 'lora'"),
        (TWO, {"branch": ["lora"], "training.batch_size": 8}, "there is no branch"),
        (TWO, {"branch": "lora", 1: 8}, "'1' is not in the space"),
        (TWO, {"lora": 8}, "'lora' is not in the space of branch 'lora'"),
        ([Branch("", CONFIG, Space({"training.batch_size": Choice((1, 2))}))], {}, "leaves it out"),
    ],
)
def test_wrong_enqueued_setting_is_refused(branches: list[Branch], setting: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        planned_settings(branches, [setting])


def test_points_of_a_finite_space_are_all_its_settings_once() -> None:
    space = Space(
        {
            "a": IntInterval(1, 6, step=2),
            "b": FloatInterval(0.0, 0.35, step=0.1),
            "c": Choice(("x", ["y"])),
            "d": FloatInterval(2.0, 2.0),
        }
    )
    total = num_points(space)
    assert total == 3 * 4 * 2
    settings = [point(space, index) for index in range(total)]
    assert len({str(setting) for setting in settings}) == total
    assert all(space.contains(setting) for setting in settings)
    assert num_points(SPACE) is None
    assert num_points(Space()) == 1
    assert point(Space(), 0) == {}
