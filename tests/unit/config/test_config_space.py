"""The `space` tree as dimensions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftsweep.config.nodes.space import as_tree, parse_space
from ftsweep.domain.points import num_points
from ftsweep.domain.space import Choice, FloatInterval, IntInterval, Space
from ftsweep.errors import ConfigError


def rate(value: Any) -> dict[str, Any]:
    return {"training": {"learning_rate": value}}


@pytest.mark.parametrize(
    ("written", "dimension"),
    [
        ([8, 16], Choice((8, 16))),
        ([None, "all-linear", ["q_proj"]], Choice((None, "all-linear", ["q_proj"]))),
        ({"low": 1, "high": 3}, IntInterval(1, 3)),
        ({"low": 4, "high": 16, "step": 4}, IntInterval(4, 16, step=4)),
        ({"low": 4, "high": 128, "log": True}, IntInterval(4, 128, log=True)),
        ({"low": 1e-4, "high": 1e-2, "log": True}, FloatInterval(1e-4, 1e-2, log=True)),
        ({"low": 1, "high": 2.5}, FloatInterval(1.0, 2.5)),
        ({"low": 0.0, "high": 0.3, "step": 0.1}, FloatInterval(0.0, 0.3, step=0.1)),
    ],
)
def test_lists_are_choices_and_bounds_are_intervals(written: Any, dimension: Any) -> None:
    assert parse_space(rate(written)).dimensions == {"training.learning_rate": dimension}


def test_dimensions_keep_the_order_of_the_file() -> None:
    space = parse_space({"strategy": {"rank": [4, 8]}, "training": {"epochs": [1, 2], "batch_size": [8]}})
    assert list(space.dimensions) == ["strategy.rank", "training.epochs", "training.batch_size"]


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (rate({"low": 1e-2, "high": 1e-4}), ["space.training.learning_rate", "above", "Exchange"]),
        (rate({"low": 0, "high": 1, "log": True}), ["logarithmic", "above 0"]),
        (rate({"low": -1.0, "high": 1.0, "log": True}), ["logarithmic", "-1"]),
        (rate({"low": 1, "high": 5, "log": True, "step": 2}), ["log and step"]),
        (rate({"low": 1, "high": 6, "step": 2}), ["do not reach 6", "high: 5"]),
        (rate({"low": 1, "high": 3, "step": 0.5}), ["whole step", "low: 1.0"]),
        (rate({"low": 1, "high": 3, "step": 0}), ["step of 0"]),
        (rate({"low": 1}), ["lacks 'high'"]),
        (rate({"low": "1", "high": 3}), ["learning_rate.low", "'1' is not a finite number"]),
        (rate({"low": True, "high": 3}), ["True is not a finite number"]),
        (rate({"low": 0.0, "high": float("inf")}), ["learning_rate.high", "finite"]),
        (rate({"low": 1, "high": 2, "lgo": True}), ["'lgo'", "'log'"]),
        (rate({"low": 1, "high": 2, "log": "yes"}), ["learning_rate.log", "true"]),
        (rate([]), ["list of choices is empty"]),
        (rate([8, 16, 8.0]), ["8.0 is there twice"]),
        (rate([float("nan")]), ["not a number to train with"]),
        (rate(8), ["8 is not a dimension", "training.learning_rate=8"]),
        (rate({}), ["this dimension is empty"]),
        ({"training.learning_rate": [1, 2]}, ["Mirror the tree"]),
        ({"strategy": ["lora", "full"]}, ["space.strategy", "branches"]),
        ({"model": {"name": ["a", "b"]}}, ["space.model.name", "branch"]),
        ({"strategy": {"_target_": ["a", "b"]}}, ["class is not a dimension", "branches"]),
        ({"seed": {"model": [1, 2]}}, ["space.seed.model", "never sampled"]),
        ({"data": {"limit": [1, 2]}}, ["different data"]),
        ({"objective": {"metric": ["a"]}}, ["one objective"]),
        ({"trainin": {"epochs": [1, 2]}}, ["'trainin'", "Did you mean 'training'?"]),
        ([1, 2], ["tree of settings"]),
    ],
)
def test_a_space_that_cannot_be_is_one_error_that_names_key_and_remedy(tree: Any, says: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_space(tree)
    for words in says:
        assert words in str(caught.value)


def test_a_dimension_may_be_called_like_a_word_of_intervals() -> None:
    assert list(parse_space({"strategy": {"step": [1, 2]}}).dimensions) == ["strategy.step"]


@pytest.mark.parametrize(
    ("tree", "count"),
    [
        ({}, 1),
        (rate([1, 2, 3]), 3),
        ({"training": {"epochs": {"low": 1, "high": 9, "step": 2}}, "strategy": {"rank": [4, 8]}}, 10),
        (rate({"low": 0.0, "high": 1.0}), None),
        (rate({"low": 0.0, "high": 1.0, "step": 0.25}), 5),
        (rate({"low": 0.5, "high": 0.5}), 1),
    ],
)
def test_settings_of_a_space_are_counted(tree: Any, count: int | None) -> None:
    assert num_points(parse_space(tree)) == count


numbers = st.floats(1e-6, 1e6)
intervals = st.one_of(
    st.tuples(numbers, numbers, st.booleans()).map(lambda it: FloatInterval(min(it[:2]), max(it[:2]), log=it[2])),
    st.tuples(st.integers(1, 99), st.integers(0, 20), st.integers(1, 5)).map(
        lambda it: IntInterval(it[0], it[0] + it[1] * it[2], step=it[2])
    ),
    st.lists(st.one_of(st.integers(), st.text(), st.none()), min_size=1, unique=True).map(lambda it: Choice(tuple(it))),
)
paths = st.sampled_from(["training.learning_rate", "training.epochs", "strategy.rank", "task.a.b", "model.dtype"])


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a machine that is busy
@given(st.dictionaries(paths, intervals))
def test_a_space_written_out_reads_back_the_same(dimensions: dict[str, Any]) -> None:
    assert dict(parse_space(as_tree(Space(dimensions))).dimensions) == dimensions
