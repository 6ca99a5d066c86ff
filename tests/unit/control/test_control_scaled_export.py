"""`ftsweep best --scale` refuses in words what it cannot export; that it exports right is tested with the engine."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from ftsweep.cli import main as cli
from ftsweep.control.scaled_export import export_scaled
from ftsweep.errors import UsageError
from ftsweep.store.atomic import write_json, write_text
from ftsweep.store.folders import Store, StudyFolder


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    study = Store(tmp_path).study("demo")
    write_text(study.sweep_file, "study: {name: demo}\n")
    for number in (0, 12):
        write_json(study.trial(number).spec_file, {"number": number, "branch": "", "params": {}, "is_default": False})
    study.trial(12).best.mkdir()
    return study


@pytest.mark.parametrize(
    ("number", "scale", "told"),
    [
        (12, 1.5, "--scale: 1.5 is no scale"),
        (12, -0.1, "no scale"),
        (0, 0.5, r"trial 0.*Weights are there of: 12\."),
        (99, 0.5, "study 'demo' has no trial 99"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    folder: StudyFolder, tmp_path: Path, number: int, scale: float, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        export_scaled(folder, folder.trial(number), scale, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folder_that_has_something_in_it_is_not_touched(folder: StudyFolder, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_json(tmp_path / "out" / "mine.json", {})
    with pytest.raises(UsageError, match="not an empty folder"):
        export_scaled(folder, folder.trial(12), 0.5, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "mine.json").read_text()) == {}


@pytest.mark.parametrize(("strategy", "is_refused"), [("prefix_tuning.PrefixTuning", True), ("lora.Lora", False)])
def test_virtual_tokens_are_not_merged_and_nothing_is_exported_before_that_is_said(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, is_refused: bool
) -> None:
    spec = {**folder.trial(12).spec(), "config": {"strategy": {"_target_": f"ftsweep.strategies.{strategy}"}}}
    write_json(folder.trial(12).spec_file, spec)
    exported: list[int] = []
    chosen = SimpleNamespace(model=SimpleNamespace(number=0, seed=0))
    monkeypatch.setattr(StudyFolder, "manifest", lambda self: SimpleNamespace(search_folders=(), allow=()))
    monkeypatch.setattr("ftsweep.cli.best.find_study", lambda store, study, whole: folder)
    monkeypatch.setattr(
        "ftsweep.report.overview.read_overview", lambda _: SimpleNamespace(state=SimpleNamespace(result=chosen))
    )
    monkeypatch.setattr("ftsweep.cli.best._export_trial", lambda folder, which, *rest, **how: exported.append(which[0]))
    monkeypatch.setattr("ftsweep.cli.exporting.complete_export", lambda *args, **settings: None)
    words = ["best", "demo", "--trial", "12", "--export", str(tmp_path / "out"), "--merge"]
    done = CliRunner().invoke(cli.main, words, standalone_mode=False)
    assert ("cannot be merged" in done.output) == is_refused
    assert exported == ([] if is_refused else [12])


def test_scale_and_trial_are_options_of_best() -> None:
    assert {"scale", "trial", "destination"} <= {option.name for option in cli.main.commands["best"].params}
