"""A name cannot lead out of its folder, and no command overwrites what it did not write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from study_manifests import write_manifest

from ftsweep.cli.main import main
from ftsweep.config.folders import copy_sweep
from ftsweep.config.schema import BRANCH_PATTERN
from ftsweep.errors import ConfigError, UsageError
from ftsweep.models.study import StudyModel
from ftsweep.report.writing import write_study_report
from ftsweep.serving.study_model import export_best
from ftsweep.store.folders import Store
from ftsweep.store.result import model_folder

HOSTILE = [
    "..",
    ".",
    "",
    "/etc",
    "a/b",
    "../a",
    "a/../../b",
    "a\\b",
    "a\0b",
    "~",
    "~root",
    "-rf",
    ".hidden",
    "a b",
    "a\n",
    "a" * 101,
    "\u0430dmin",
    "\uff0e\uff0e\uff0fx",
    "a\u202eb",
    "a\u2044b",
    "CON:",
    "$HOME",
    "*",
    "\ud800",
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_study_or_branch_cannot_be_called_what_leads_elsewhere(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be a study's name"):
        Store(tmp_path).study(name)
    with pytest.raises(ConfigError, match="cannot be a study's name"):
        StudyModel(study=name)
    assert not BRANCH_PATTERN.fullmatch(name)


@pytest.mark.parametrize("command", [["status"], ["best"], ["report"], ["predict"]], ids=" ".join)
@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a\n"], ids=ascii)
def test_a_command_refuses_such_a_name_with_exit_code_2(command: list[str], name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*command, name, "--store", str(tmp_path)], input="a text\n")
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_copy_overwrites_nothing_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("precious")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    for name in ("mine.yaml", "link.yaml"):
        with pytest.raises(UsageError, match="not overwritten"):
            copy_sweep("quickstart", tmp_path / name)
    assert (tmp_path / "mine.yaml").read_text() == "precious"
    assert not (tmp_path / "elsewhere.yaml").exists()


@pytest.fixture
def study(tmp_path: Path) -> Any:
    folder = Store(tmp_path / "mlruns").study("s")
    page = {"_target_": "ftsweep.report.HtmlPage", "figures": ["history"]}
    write_manifest(folder, report=page)
    folder.sweep_file.write_text("study: {name: s}\n")
    return folder


def test_a_report_replaces_a_report_and_nothing_else(study: Any, tmp_path: Path) -> None:
    page, precious = tmp_path / "page.html", tmp_path / "thesis.html"
    precious.write_text("<html>precious</html>")
    assert write_study_report(study, page) == (page, [])
    assert write_study_report(study, page) == (page, []), "one of ours may be written again"
    with pytest.raises(UsageError, match="not overwritten"):
        write_study_report(study, precious)
    assert precious.read_text() == "<html>precious</html>"
    for wrong in (tmp_path, tmp_path / "nowhere" / "x.html"):
        with pytest.raises(UsageError, match=r"is a folder|does not exist"):
            write_study_report(study, wrong)


def test_an_export_goes_into_an_empty_folder_only(study: Any, tmp_path: Path) -> None:
    model_folder(study).mkdir(parents=True)
    full = tmp_path / "full"
    full.mkdir()
    (full / "precious").write_text("x")
    for place in (full, full / "precious"):
        with pytest.raises(UsageError, match="not an empty folder"):
            export_best(study, place)
    assert [file.name for file in full.iterdir()] == ["precious"]
