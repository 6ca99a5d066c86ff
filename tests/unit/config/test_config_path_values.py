"""A path on the command line is the text that it plainly is."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftsweep.config.grammar import parse_overrides
from ftsweep.config.path_values import with_absolute_paths
from ftsweep.errors import ConfigError


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("data.train=/x/Lisbon, 2024/rows.jsonl", "/x/Lisbon, 2024/rows.jsonl"),
        ("data.train='/x/Lisbon, 2024/rows.jsonl'", "/x/Lisbon, 2024/rows.jsonl"),
        ("data.validation=a=b.jsonl", "a=b.jsonl"),
        ("data.test=50%?#1.jsonl", "50%?#1.jsonl"),
        ("general.train=a (copy).txt", "a (copy).txt"),
        ("stages.domain.data.train={a}.txt", "{a}.txt"),
        ("model.path=it's", "it's"),
        ("store.path=(a", "(a"),
        ("+store.path=2024", "2024"),
        ("data.train=a\\,b", "a,b"),
        ("data.test=null", None),
        ("data.train=[a.jsonl,'b, c.jsonl']", ["a.jsonl", "b, c.jsonl"]),
    ],
)
def test_a_path_is_taken_as_its_text(line: str, value: object) -> None:
    (assignment,) = parse_overrides([line], groups={"data"}).assignments
    assert assignment.value == value
    assert not assignment.key.startswith("space.")


@pytest.mark.parametrize("name", ["choice(a,b)", "[a,b]", "null", "'a'", "a\\,b", "${x}"])
def test_a_file_of_that_very_name_wins(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    (assignment,) = parse_overrides([f"data.train={name}"], groups={"data"}).assignments
    assert assignment.value == name.replace("${", r"\${")


@pytest.mark.parametrize("line", ["data.train=choice(a,b)", "data.group=a,b", "study.name=x,y"])
def test_what_may_not_vary_says_how_it_is_quoted(line: str) -> None:
    key, _, text = line.partition("=")
    with pytest.raises(ConfigError, match="vary") as caught:
        parse_overrides([line], groups={"data"})
    assert f"\"{key}='{text}'\"" in str(caught.value)
    (assignment,) = parse_overrides([f"{key}='{text}'"], groups={"data"}).assignments
    assert assignment.value == text


def test_paths_of_overrides_that_are_kept_are_those_of_the_composed_branch_that_has_them() -> None:
    composed = {"data": {"train": ["/x/a.csv", "/x/b.csv"], "test": "/x/it's.csv"}, "stages": {}}
    staged = {**composed, "stages": {"domain": {"data": {"train": "/x/d.txt"}}}}
    lines = ["data.train=[a.csv,b.csv]", '++data={test: "it\'s.csv", limit: 5}', "stages.domain.data.train=d.txt"]
    assert with_absolute_paths([*lines, "data.validation=null", "training.epochs=1,2"], [composed, staged]) == (
        "data.train=[/x/a.csv,/x/b.csv]",
        lines[1],
        "data.test='/x/it\\'s.csv'",
        "stages.domain.data.train=/x/d.txt",
        "data.validation=null",
        "training.epochs=1,2",
    )
