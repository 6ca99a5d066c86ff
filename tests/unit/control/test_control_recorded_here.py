"""Studies that ran on other machines get a record on this one: those at an address, in MLflow's own database."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftsweep.control import recorded_here
from ftsweep.control.recorded_here import record_here
from ftsweep.store.folders import Store, StudyFolder

OWN = "recording: {_target_: ftsweep.recording.MlflowRecorder, tracking_uri: null}\n"
SERVER = "recording: {_target_: ftsweep.recording.MlflowRecorder, tracking_uri: 'http://mlflow:5000'}\n"
NONE = "recording: {_target_: ftsweep.recording.NullRecorder}\n"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The studies whose record was sent."""
    names: list[str] = []

    class Recorder:
        def __init__(self, recorder: object) -> None:
            pass

        def is_finished(self, folder: StudyFolder) -> bool:
            return folder.name in names

        def resume(self, folder: StudyFolder) -> None:
            names.append(folder.name)

        def close(self, *, finished: bool) -> list[str]:
            return [] if finished else ["it goes on elsewhere"]

    monkeypatch.setattr(recorded_here, "build", lambda node, allowed: None)
    monkeypatch.setattr(recorded_here, "BackgroundRecorder", Recorder)
    manifest = SimpleNamespace(search_folders=[], allow=())
    monkeypatch.setattr(StudyFolder, "manifest", lambda folder: manifest)
    return names


def a_store(root: Path, *, address: str = "") -> Store:
    for name, recording in {"own": OWN, "server": SERVER, "none": NONE}.items():
        folder = Store(root).study(name).path
        folder.mkdir(parents=True)
        (folder / "sweep.yaml").write_text(recording)
    if address:
        (root / "address").write_text(f"{address}\n")
    return Store(root)


def test_studies_at_an_address_are_recorded_once(sent: list[str], tmp_path: Path) -> None:
    store, told = a_store(tmp_path, address="s3://bucket/x"), list[Any]()
    record_here(store, told.append)
    record_here(store, told.append)
    assert sent == ["own"]
    assert told == ["recording study 'own' in this machine's MLflow database ...", "it goes on elsewhere"]


def test_study_that_runs_here_records_itself(sent: list[str], tmp_path: Path) -> None:
    store = a_store(tmp_path, address="s3://bucket/x")
    with store.study("own").locked():
        record_here(store, print)
    assert sent == []


def test_store_in_a_folder_has_its_record(sent: list[str], tmp_path: Path) -> None:
    record_here(a_store(tmp_path), print)
    assert sent == []
