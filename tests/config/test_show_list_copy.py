"""What `ftsweep show`, `list` and `copy` rest on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ftsweep.config.compose import explain_sweep
from ftsweep.config.folders import copy_sweep, list_groups, shipped_folder
from ftsweep.config.schema import COMPONENT_GROUPS, GUARDS
from ftsweep.errors import UsageError


def test_show_names_the_file_of_every_choice_and_every_override() -> None:
    explained = explain_sweep("quickstart", ["strategy=full", "~space.strategy", "training.epochs=1"])
    origins = {each.key: (each.choice, each.origin) for each in explained.sources}
    assert set(COMPONENT_GROUPS) < set(origins)
    assert origins["model"] == ("tiny", "conf/model/tiny.yaml (shipped)")
    assert origins["strategy"] == ("full", "conf/strategy/full.yaml (shipped), chosen on the command line")
    assert origins["training.epochs"] == ("1", "command line")
    assert origins["space.strategy"] == ("removed", "command line")


def test_show_names_what_each_branch_chose() -> None:
    origins = {each.key: each.choice for each in explain_sweep("full_vs_lora").sources}
    assert (origins["branches.full.strategy"], origins["branches.lora.strategy"]) == ("full", "lora")


def test_shown_text_is_yaml_of_the_whole_config() -> None:
    explained = explain_sweep("quickstart")
    shown = yaml.safe_load(explained.text)
    assert shown == yaml.safe_load(json.dumps(explained.to_dict()["config"]))
    assert shown["space"]["training"]["learning_rate"] == {"low": 1e-4, "high": 5e-3, "log": True}
    assert shown["objective"]["direction"] == "minimize"


def test_files_beside_the_sweep_are_named_as_the_user_knows_them(tmp_path: Path) -> None:
    (tmp_path / "strategy").mkdir()
    (tmp_path / "strategy/mine.yaml").write_text("# Ours.\n_target_: ftsweep.strategies.Lora\nrank: 4\n")
    sweep = tmp_path / "s.yaml"
    sweep.write_text((shipped_folder("sweeps") / "quickstart.yaml").read_text())
    sources = explain_sweep(str(sweep), ["strategy=mine"]).sources
    assert ("strategy", "mine", "strategy/mine.yaml, chosen on the command line") in sources
    listed = {entry["name"]: entry["about"] for entry in list_groups("strategy", beside=tmp_path)["strategy"]}
    assert listed["mine"] == "Ours."
    assert "lora" in listed


def test_show_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from ftsweep.config.compose import explain_sweep\n"
        "explain_sweep('full_vs_lora').text\n"
        "heavy = {'torch', 'transformers', 'datasets', 'peft', 'optuna', 'mlflow', 'plotly', 'pandas', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_list_shows_every_group_and_understands_plurals() -> None:
    listed = list_groups()
    assert list(listed) == ["sweeps", *COMPONENT_GROUPS, "judge", GUARDS]
    shipped = [file for folder in ("conf", "sweeps") for file in shipped_folder(folder).rglob("*.yaml")]
    files = {Path(entry["file"]) for entries in listed.values() for entry in entries}
    assert {file for file in shipped if file.stem != "base"} == files
    assert list_groups("judges") == {"judge": listed["judge"]}
    assert list_groups("models") == {"model": listed["model"]}
    assert list_groups("strategies") == {"strategy": listed["strategy"]}
    assert [entry["name"] for entry in listed["strategy"]] == sorted(entry["name"] for entry in listed["strategy"])
    with pytest.raises(UsageError, match=r"'modell'.*'model'"):
        list_groups("modell")


def test_a_copied_sweep_is_the_shipped_text_with_its_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = (shipped_folder("sweeps") / "quickstart.yaml").read_text()
    assert copy_sweep("quickstart") == tmp_path / "quickstart.yaml"
    assert copy_sweep("quickstart", Path("mine.yaml")).read_text() == shipped
    (tmp_path / "folder").mkdir()
    assert copy_sweep("quickstart", Path("folder")) == Path("folder/quickstart.yaml")
    assert explain_sweep("mine.yaml").composed == explain_sweep("quickstart").composed


def test_copying_never_overwrites(tmp_path: Path) -> None:
    kept = tmp_path / "mine.yaml"
    kept.write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.yaml.*there is a file already"):
        copy_sweep("quickstart", kept)
    assert kept.read_text() == "mine"
    with pytest.raises(UsageError, match=r"must end with \.yaml"):
        copy_sweep("quickstart", tmp_path / "mine.txt")
    with pytest.raises(UsageError, match="folder does not exist"):
        copy_sweep("quickstart", tmp_path / "no" / "mine.yaml")
    with pytest.raises(UsageError, match="'quickstart'"):
        copy_sweep("quickstar", kept)
