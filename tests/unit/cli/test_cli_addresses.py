"""Commands over a store at an address where another machine runs a study."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from report_studies import StudyBuilder, falling

from ftsweep.cli.main import main
from ftsweep.store.address.place import STORES, store_named
from ftsweep.store.address.visiting import owned


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Machine `one` runs study `demo` there; this is machine `two`."""
    builder = StudyBuilder(tmp_path / "built")
    builder.trial(0, falling(1e-3, 16), is_default=True)
    builder.trial(1, falling(2e-3, 16, num=3), None)
    monkeypatch.setattr("ftsweep.store.address.keeping.RENEW_SECONDS", 0.05)
    monkeypatch.setattr("ftsweep.store.address.ownership._LOOK_SECONDS", 0.1)
    monkeypatch.setenv(STORES, str(tmp_path / "one"))
    address = f"file://{tmp_path}/shared"
    folder = store_named(address).study("demo")
    with owned(folder, print) as keeper:
        assert keeper is not None
        shutil.copytree(builder.folder.path, folder.path, dirs_exist_ok=True)
        keeper.sender.send()
        monkeypatch.setenv(STORES, str(tmp_path / "two"))
        yield address


def said(address: str, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, [*words, "--store", address])
    assert done.exit_code == code, done.output
    return done.output


def test_study_that_another_machine_runs_is_told_with_its_process(address: str) -> None:
    assert "Study 'demo' is run by process" in said(address, "status")
    (line,) = json.loads(said(address, "status", "--json"))["studies"]
    assert line["owner_elsewhere"].startswith("process")
    assert "Run by process" in said(address, "status", "demo")


def test_clean_leaves_it_alone_and_cleans_the_rest(address: str) -> None:
    assert "Study 'demo' is being run by process" in said(address, "clean")
    refused = said(address, "clean", "demo", code=2)
    assert "Give this command on that machine" in refused


def test_stopping_it_is_refused_by_name(address: str) -> None:
    assert "study 'demo' is run by process" in said(address, "stop", "demo", code=2)
