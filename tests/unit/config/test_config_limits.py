"""What a configuration may hold, and which classes of ftsweep's own it may name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftsweep.config.build import build
from ftsweep.config.checks.size import MAX_WHOLE, check_tree, check_yaml
from ftsweep.config.compose import compose_sweep
from ftsweep.errors import ConfigError

DEFAULTS = "defaults: [base, model: tiny, data: pydocs, task: classification, strategy: lora, _self_]\n"
SPACE = "space: {training: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}}\n"


def refused(folder: Path, text: str, *overrides: str) -> str:
    (folder / "own.yaml").write_text(DEFAULTS + SPACE + text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        compose_sweep(str(folder / "own.yaml"), overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:HF_TOKEN}",
        "a ${ oc.env:HF_TOKEN,x}",
        "${oc.${x}:HF_TOKEN}",
        "${env:HOME}",
        "${now:%Y}",
        "${hydra:job.name}",
    ],
)
def test_an_interpolation_cannot_read_the_environment(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdef")
    for message in (
        refused(tmp_path, f"study: {{name: '{text}'}}\n"),
        refused(tmp_path, "", f"study.name='{text}'"),
        refused(tmp_path, f"branches: {{a: {{overrides: ['training.precision=\"{text}\"']}}}}\n"),
    ):
        assert "would read what is not in the configuration" in message
        assert "hf_abcdef" not in message


def test_text_that_only_looks_like_one_is_taken(tmp_path: Path) -> None:
    check_tree({"a": "\\${oc.env:HOME}", "b": "${training.epochs}", "c": "{oc.env:HOME} $"}, "x")


def test_a_password_in_an_address_is_refused_without_repeating_it(tmp_path: Path) -> None:
    for message in (
        refused(tmp_path, "recording: {tracking_uri: 'https://ann:hunter2@host'}\n"),
        refused(tmp_path, "", "recording.tracking_uri=postgresql://ann:hunter2@host/db"),
        refused(tmp_path, "", "store.database=postgresql://ann:hunter2@host/db"),
        refused(tmp_path, "", "store.database='postgresql://ann@host/db?password=hunter2'"),
        refused(tmp_path, "", "data=files", "data.train='https://ann:hunter2@host/x.jsonl'"),
    ):
        assert "MLFLOW_TRACKING_PASSWORD" in message
        assert "hunter2" not in message


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"a": {"b": MAX_WHOLE + 1}}, "a.b: this whole number is too large"),
        ({"a": ["x", -(10**400)]}, "too large"),
        ({"a": "b\0c"}, "a: .* holds a character that no file can hold"),
        ({"a\0": 1}, "holds a character"),
        ({"a": "\ud800"}, "holds a character"),
    ],
)
def test_what_no_trial_could_use_is_refused(tree: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check_tree(tree, "own.yaml")
    check_tree({"a": MAX_WHOLE, "b": -MAX_WHOLE, "c": "é\n"}, "own.yaml")


def test_the_line_of_what_is_too_much_is_named() -> None:
    check_yaml("a: &a [x]\nb: [*a, *a]\n", "own.yaml")
    with pytest.raises(ConfigError, match=r"own\.yaml:2: .* nested more than 32 deep"):
        check_yaml("a: 1\nb: " + "[" * 40 + "]" * 40, "own.yaml")
    with pytest.raises(ConfigError, match=r"own\.yaml:1: .* aliases"):
        check_yaml("a: &a [x, *a]\n", "own.yaml")


NO_COMPONENTS = [
    {
        "_target_": "ftsweep.executors.process.WorkerProcess",
        "command": ["touch", "x"],
        "environment": {},
        "log_file": "y",
    },
    {"_target_": "ftsweep.store.folders.Store", "root": "/"},
    {"_target_": "ftsweep.recording.ledger.Ledger"},
]


@pytest.mark.parametrize("node", NO_COMPONENTS, ids=lambda node: node["_target_"])
def test_a_class_of_ftsweep_that_is_no_component_is_never_made(node: Any, tmp_path: Path) -> None:
    for each in (node, {"_target_": "ftsweep.strategies.Lora", "targets": [node]}):
        with pytest.raises(ConfigError, match=r"is not a component class|has no class"):
            build(each)
    group = tmp_path / "executor"
    group.mkdir()
    (group / "own.yaml").write_text("".join(f"{key}: {value}\n" for key, value in node.items()))
    assert "is not a component class" in refused(tmp_path, "", "executor=own") or "has no class" in refused(
        tmp_path, "", "executor=own"
    )
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("strategy=../model/tiny", "TinyModel is no strategy"),
        ("task._target_=ftsweep.strategies.Lora", "Lora is no task"),
        ("sampler._target_=ftsweep.search.pruners.NoPruner", "NoPruner is no sampler"),
        ("~guards", "names no guard"),
        ("seed.data=4294967296", "seed.data"),
        ("store.path=", "names no folder"),
        ("store.database=mysql://ann@host/db", "store.database: 'mysql://ann@host/db' is no address of a PostgreSQL"),
        ("store.database=postgresql://host", "Give postgresql://user@host/name, or null"),
        ("store.database=optuna.db", "is no address of a PostgreSQL database"),
        ("executor.workers=99999999999", "at most 1024"),
    ],
)
def test_an_odd_override_is_refused_with_its_reason(override: str, says: str, tmp_path: Path) -> None:
    assert says in refused(tmp_path, "", override)
