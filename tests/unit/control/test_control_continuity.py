"""A study goes on only as what it was; one of another version is left as it is, and the command says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ftsweep.cli.main import main
from ftsweep.config.compose import compose_sweep
from ftsweep.config.schema import SweepConfig
from ftsweep.control.continuity import continued, manifest_of
from ftsweep.domain.space import Branch, Choice, Dimension, FloatInterval, IntInterval, Space
from ftsweep.domain.terms import changes, dimension_from_dict, dimension_to_dict
from ftsweep.errors import ConfigError
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.manifest import Extension, StudyManifest

OLD = {
    "study": "old",
    "sweep_file": "quickstart",
    "objective": {"metric": "loss", "split": "validation", "direction": "minimize"},
    "rungs": 10,
    "seed": {"data": 0, "model": 0, "sampler": 0},
    "branches": {"main": {"config": {"model": {"_target_": "ftsweep.tiny.TinyModel"}}, "space": {"x": "[1 .. 3]"}}},
    "budget": {"trials": 12},
    "selection": {"top": 3, "seeds": 3},
    "report": {"_target_": "ftsweep.report.HtmlPage"},
    "allow": [],
    "search_folders": [],
}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepConfig:
    monkeypatch.chdir(tmp_path)
    return compose_sweep("quickstart", [])


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """A study with a trial."""
    folder = Store(tmp_path / "mlruns").study("quickstart")
    write_json(folder.trial(0).spec_file, {"number": 0, "branch": "", "params": {}, "is_default": True})
    return folder


@pytest.mark.parametrize(
    "dimension",
    [
        Choice((1, "a", (2, 3), None)),
        IntInterval(2, 64, log=True),
        FloatInterval(1e-5, 0.1),
        FloatInterval(0, 1, step=0.25),
    ],
)
def test_stored_dimension_is_the_dimension(dimension: Dimension) -> None:
    stored = json.loads(json.dumps(dimension_to_dict(dimension)))
    assert dimension_to_dict(dimension_from_dict(stored)) == {
        key: tuple(value) if key == "values" else value for key, value in stored.items()
    }
    assert str(dimension_from_dict(stored)) == str(dimension).replace("(2, 3)", "[2, 3]")


def test_manifest_is_read_as_it_was_written(config: SweepConfig, folder: StudyFolder) -> None:
    extension = Extension(3, {"4": "strategy.rank=4 lies outside {8}"}, (7,), 11, is_settled=False)
    written = manifest_of(config, extension)
    written.write(folder.manifest_file)
    read = folder.manifest()
    assert changes(written.terms, read.terms) == []
    assert (read.extension, read.num_trials, read.study) == (extension, config.budget.trials, "quickstart")
    assert read.terms.branches["main"].space == config.branches[0].space.dimensions


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("rungs.count=7", r"rungs was \d+, is now 7;?"),
        ("rungs.train_rows=50", r"rungs.train_rows was None, is now 50"),
        ("seed.model=7", "seed.model was 0, is now 7"),
        ("objective.metric=accuracy", r"objective.metric was '\w+', is now 'accuracy'"),
        ("training.epochs=2.5", r"branches.main.config.training.epochs was [\d.]+, is now 2.5"),
    ],
)
def test_other_configuration_is_refused_with_the_difference(
    config: SweepConfig, folder: StudyFolder, override: str, what: str
) -> None:
    earlier = manifest_of(config)
    with pytest.raises(ConfigError, match=what) as caught:
        continued(compose_sweep("quickstart", [override]), folder, earlier)
    assert "study.extend" not in str(caught.value), "its trials could not be compared"


def narrowed(config: SweepConfig) -> SweepConfig:
    (branch,) = config.branches
    path = next(iter(branch.space.dimensions))
    space = Space({**branch.space.dimensions, path: Choice((0.123,))})
    return replace(config, branches=(Branch("", branch.config, space),))


def test_other_space_may_be_extended_to_and_the_message_says_how(config: SweepConfig, folder: StudyFolder) -> None:
    with pytest.raises(ConfigError, match=r"was .+, is now \{0.123\}.*study.extend=true"):
        continued(narrowed(config), folder, manifest_of(config))


def test_study_without_a_trial_may_begin_anew(config: SweepConfig, tmp_path: Path) -> None:
    empty = Store(tmp_path).study("empty")
    assert continued(narrowed(config), empty, manifest_of(config)).terms == manifest_of(narrowed(config)).terms


def test_budget_sampler_and_report_may_change(config: SweepConfig, folder: StudyFolder) -> None:
    other = compose_sweep("quickstart", ["budget.trials=99", "sampler=random", "pruner=none"])
    assert continued(other, folder, manifest_of(config)).num_trials == 99


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("manifest", "age"),
    [(lambda: OLD, "an older version"), (lambda: {**OLD, "format": 99}, "a newer version")],
    ids=["older", "newer"],
)
@pytest.mark.parametrize("command", ["run", "plan", "status", "best", "report", "clean"])
def test_study_of_another_version_is_left_alone_and_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, manifest: Callable[[], Any], age: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Store(tmp_path / "mlruns").study("old")
    write_json(folder.manifest_file, manifest())
    folder.sweep_file.write_text("study: {name: old}\n")
    before = contents(tmp_path)
    words = ["quickstart", "study.name=old"] if command in ("run", "plan") else ["old"]
    result = CliRunner().invoke(main, [command, *words])
    text = " ".join(result.output.split())
    assert result.exit_code == 2, text
    assert f"study 'old' was begun by {age} of ftsweep" in text
    assert "install that version again" in text
    assert "Traceback" not in text
    assert {path: each for path, each in contents(tmp_path).items() if not path.endswith("/lock")} == before


def test_manifest_that_lacks_something_is_damaged_and_says_so(config: SweepConfig, folder: StudyFolder) -> None:
    manifest_of(config).write(folder.manifest_file)
    told = json.loads(folder.manifest_file.read_text())
    del told["branches"]
    write_json(folder.manifest_file, told)
    with pytest.raises(Exception, match=r"study\.json.*damaged"):
        StudyManifest.read(folder.manifest_file)
