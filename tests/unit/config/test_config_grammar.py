"""Hydra's grammar on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from ftsweep.config.grammar import Assignment, GroupChoice, parse_overrides
from ftsweep.config.schema import COMPONENT_GROUPS
from ftsweep.errors import ConfigError


def parse(*lines: str) -> Any:
    return parse_overrides(lines, groups=COMPONENT_GROUPS)


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("training.epochs=2", "training.epochs", 2),
        ("+training.epochs=2", "training.epochs", 2),
        ("++training.epochs=2", "training.epochs", 2),
        ("training.learning_rate=1e-4", "training.learning_rate", 1e-4),
        ("data.train='a b.jsonl'", "data.train", "a b.jsonl"),
        ("training.patience=null", "training.patience", None),
        ("strategy.targets=[q_proj,v_proj]", "strategy.targets", ["q_proj", "v_proj"]),
        ("space.training.batch_size=[4,8]", "space.training.batch_size", [4, 8]),
        ("space.training.learning_rate.high=5e-3", "space.training.learning_rate.high", 5e-3),
        ("model={dtype: float32}", "model", {"dtype": "float32"}),
    ],
)
def test_values_are_assigned_as_typed(line: str, key: str, value: Any) -> None:
    assert parse(line).assignments == (Assignment(key, value, line),)


@pytest.mark.parametrize(
    ("line", "dimension"),
    [
        ("training.batch_size=choice(8,16)", [8, 16]),
        ("training.batch_size=8,16", [8, 16]),
        ("training.batch_size=range(1,4)", [1, 2, 3]),
        ("training.batch_size=range(8,0,step=-4)", [8, 4]),
        ("training.batch_size=int(interval(1,3))", {"low": 1, "high": 3}),
        ("training.batch_size=interval(1,3)", {"low": 1.0, "high": 3.0}),
        ("training.batch_size=tag(log,interval(1e-5,1e-3))", {"low": 1e-5, "high": 1e-3, "log": True}),
        ("training.batch_size=tag(log,int(interval(1,64)))", {"low": 1, "high": 64, "log": True}),
        ("training.batch_size=choice('a b',[c,'d'])", ["a b", ["c", "d"]]),
    ],
)
def test_sweeps_become_dimensions_that_replace_older_ones(line: str, dimension: Any) -> None:
    (assignment,) = parse(line).assignments
    assert (assignment.key, assignment.value) == ("space.training.batch_size", dimension)
    assert assignment.replaces


def test_an_integer_interval_stays_whole() -> None:
    (assignment,) = parse("training.epochs=int(interval(1,3))").assignments
    assert all(type(end) is int for end in assignment.value.values())


def test_groups_are_chosen_and_nested_groups_too() -> None:
    chosen = parse("strategy=full", "pruner@pruner.pruner=hyperband").choices
    assert chosen == (GroupChoice("strategy", "full"), GroupChoice("pruner@pruner.pruner", "hyperband"))


def test_a_removed_key_and_the_search_path_are_understood() -> None:
    parsed = parse("~space.training.epochs", "hydra.searchpath=[/a,pkg://b]")
    assert parsed.assignments[0].removes
    assert parsed.search_path == ("/a", "pkg://b")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("strategy=lora,full", ["group 'strategy'", "branches"]),
        ("strategy=choice(lora,full)", ["group 'strategy'", "branches"]),
        ("strategy=glob(*)", ["group 'strategy'", "branches"]),
        ("model=[a,b]", ["one choice of 'model'", "model=NAME"]),
        ("model=", ["one choice of 'model'"]),
        ("~model", ["one choice of 'model'"]),
        ("training.epochs=shuffle(1,2)", ["shuffle", "sampler"]),
        ("training.epochs=shuffle(range(1,9))", ["shuffle", "sampler"]),
        ("training.schedule=glob(*)", ["glob", "choice(a,b)"]),
        ("training.epochs=tag(odd,interval(1,2))", ["tag 'odd'", "tag(log,interval(low,high))"]),
        ("training.epochs=tag(log,choice(1,2))", ["tag 'log'"]),
        ("training.epochs=range(1,1e9)", ["more than 1000", "interval"]),
        ("training.epochs=range(1,5,0)", ["not a range"]),
        ("space.training.epochs=choice(1,2)", ["inside space", "without `space.`"]),
        ("training.epochs", ["cannot be read", "key=value"]),
        ("training.epochs=[1", ["cannot be read", "key=value"]),
        ("hydra.verbose=true", ["not supported", "hydra.searchpath"]),
        ("hydra/launcher=basic", ["not supported"]),
        ("hydra.searchpath=3", ["list of texts"]),
    ],
)
def test_what_a_sweep_cannot_do_is_refused_with_the_line_and_a_remedy(line: str, says: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(line)
    for words in [line.partition("=")[0].lstrip("~"), *says]:
        assert words in str(caught.value)


def test_the_last_override_of_a_key_is_the_one_that_is_named() -> None:
    parsed = parse("training.epochs=1", "training.epochs=2", "space.training.learning_rate.high=1")
    assert parsed.line_of("training.epochs") == "training.epochs=2"
    assert parsed.line_of("space.training.learning_rate") == "space.training.learning_rate.high=1"
    assert parsed.line_of("training.epoch") is None
