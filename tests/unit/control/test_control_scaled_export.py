"""`ftsweep best --scale` refuses in words what it cannot export; that it exports right is tested with the engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    [(12, 1.5, "--scale: 1.5 is no scale"), (12, -0.1, "no scale"), (0, 0.5, r"trial 0.*Weights are there of: 12\.")],
)
def test_what_cannot_be_exported_is_refused(
    folder: StudyFolder, tmp_path: Path, number: int, scale: float, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        export_scaled(folder, number, scale, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folder_that_has_something_in_it_is_not_touched(folder: StudyFolder, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_json(tmp_path / "out" / "mine.json", {})
    with pytest.raises(UsageError, match="not an empty folder"):
        export_scaled(folder, 12, 0.5, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "mine.json").read_text()) == {}


def test_scale_and_trial_are_options_of_best() -> None:
    assert {"scale", "trial", "destination"} <= {option.name for option in cli.main.commands["best"].params}
