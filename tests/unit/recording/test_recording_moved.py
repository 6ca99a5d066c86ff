"""A store that is moved or copied takes its artifacts and its registry along, and nothing goes to its old place."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from ftsweep.recording.base import ChosenModel
from ftsweep.recording.journal import Journal
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.recording.ui import tracking_uri
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.testing.recorder import record_trial, study_facts

pytestmark = [
    # SQLAlchemy tells MLflow 3.17 that a loader it uses is deprecated
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
    # MLflow 3.17 warns about a type hint of its own when mlflow.pyfunc is imported
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]


class _Predictor:
    """Answers with the folder it was loaded from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    task = SimpleNamespace(columns=("text",))
    columns: ClassVar[dict[str, str]] = {}

    def answers(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{"label": str(self.folder), "probability": 0.5} for _ in rows]


@pytest.fixture(autouse=True)
def _fake_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("ftsweep.serving.model")  # the real one imports torch
    module.load_predictor = _Predictor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ftsweep.serving.model", module)


@pytest.fixture(autouse=True)
def _no_memory() -> Iterator[None]:
    yield
    forget()


def forget() -> None:
    """What another process would not know: MLflow remembers in memory where a run's artifacts lie."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()


def recorded(folder: StudyFolder, number: int) -> MlflowRecorder:
    """A trial, the sweep file as an artifact, and the trial's model as champion."""
    recorder = MlflowRecorder(system_metrics=False)
    recorder.open(study_facts(folder))
    record_trial(recorder, number)
    exported = folder.path / "model"
    write_json(exported / "ftsweep.json", {"trial": number})
    page = folder.report_file
    page.write_text(f"<html>{number}</html>")
    recorder.keep_artifacts([page])
    rows = [{"text": "one"}, {"text": "two"}]
    recorder.register(
        ChosenModel(number, exported, rows, [{"label": "a", "probability": 0.9}] * 2, metrics={"test/accuracy": 0.75})
    )
    recorder.close(finished=True)
    return recorder


def champion_answer(folder: StudyFolder) -> str:
    import mlflow
    import pandas as pd

    mlflow.set_tracking_uri(tracking_uri(folder.store))
    try:
        model = mlflow.pyfunc.load_model("models:/example@champion")
        return str(model.predict(pd.DataFrame({"text": ["three"]}))["label"][0])
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def report_text(folder: StudyFolder) -> str:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri(folder.store))
    experiment = client.get_experiment_by_name("example")
    (run,) = client.search_runs([experiment.experiment_id], "tags.`ftsweep.run` = 'sweep'")
    return Path(client.download_artifacts(run.info.run_id, "report.html")).read_text()


@pytest.mark.parametrize("is_copy", [False, True])
def test_champion_artifacts_and_further_trials_after_a_move(folder: StudyFolder, tmp_path: Path, is_copy: bool) -> None:
    recorded(folder, 0)
    old = folder.store.root
    new = Store(tmp_path / "elsewhere, ü" / "runs")
    new.root.parent.mkdir()
    shutil.copytree(old, new.root)
    before = sorted(old.rglob("*"))
    if not is_copy:
        shutil.rmtree(old)
    moved = new.study("example")
    forget()
    assert champion_answer(moved).startswith(str(new.artifacts))
    assert report_text(moved) == "<html>0</html>"
    recorded(moved, 1)
    assert champion_answer(moved).startswith(str(new.artifacts))
    assert report_text(moved) == "<html>1</html>"
    assert (sorted(old.rglob("*")) == before) if is_copy else not old.exists()


def test_a_moved_record_is_not_sent_again(folder: StudyFolder, tmp_path: Path) -> None:
    recorded(folder, 0)
    shutil.move(folder.store.root, tmp_path / "moved")
    assert MlflowRecorder(system_metrics=False).is_finished(Store(tmp_path / "moved").study("example"))


def test_the_journal_holds_in_a_moved_store(folder: StudyFolder, tmp_path: Path) -> None:
    exported = folder.path / "model"
    exported.mkdir(parents=True)
    model = ChosenModel(0, exported, [], [], metrics={})
    Journal(study_facts(folder), files=(folder.report_file, tmp_path / "outside.csv"), model=model).write()
    shutil.move(folder.store.root, tmp_path / "moved")
    moved = Store(tmp_path / "moved").study("example")
    journal = Journal.read(moved)
    assert journal is not None
    assert journal.model is not None
    assert journal.model.folder == moved.path / "model"
    assert list(journal.files) == [moved.report_file, tmp_path / "outside.csv"]


def test_mlflow_finds_the_way_by_itself_in_any_process(tmp_path: Path) -> None:
    """An installation that is older than the entry point has to be made again: `make setup`."""
    assert "mlflow-artifacts" in {each.name for each in entry_points(group="mlflow.artifact_repository")}
    code = (
        "from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository as find\n"
        f"print(find('mlflow-artifacts:/example/1', tracking_uri='sqlite:///{tmp_path}/mlflow.db').artifact_dir)\n"
        "print(find('mlflow-artifacts:/example/1', tracking_uri='http://127.0.0.1:1').artifact_uri)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == [
        f"{tmp_path}/artifacts/example/1",
        "http://127.0.0.1:1/api/2.0/mlflow-artifacts/artifacts/example/1",
    ], done.stderr


def test_an_address_does_not_lead_out_of_the_store(tmp_path: Path) -> None:
    from mlflow import MlflowException

    from ftsweep.recording.artifact_place import artifact_repository

    with pytest.raises(MlflowException, match="leads out"):
        artifact_repository("mlflow-artifacts:/../../etc", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    found = artifact_repository("mlflow-artifacts:/example/1", tracking_uri=f"sqlite:///{tmp_path}/x/../mlflow.db")
    assert found.artifact_dir == f"{tmp_path}/artifacts/example/1"  # type: ignore[attr-defined]  # of a folder
