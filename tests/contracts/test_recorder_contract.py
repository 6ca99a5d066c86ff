from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ftsweep.recording.background import BackgroundRecorder
from ftsweep.recording.base import NullRecorder, Recorder
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.recording.mlflow_place import prepare_environment
from ftsweep.recording.ui import tracking_uri
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.testing.recorder import RecorderContract

# SQLAlchemy tells MLflow 3.17 that a loader it uses is deprecated
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


class TestNullRecorder(RecorderContract):
    def make_recorder(self) -> Recorder:
        return NullRecorder()

    def stored(self, folder: StudyFolder) -> object:
        return None


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without content: making one takes seconds, copying it none."""
    prepare_environment()
    from mlflow import MlflowClient

    store = Store(tmp_path_factory.mktemp("mlflow"))
    MlflowClient(tracking_uri(store)).search_experiments()
    return store.mlflow_database


class TestMlflowRecorder(RecorderContract):
    @pytest.fixture(autouse=True)
    def _databases(self, empty_database: Path, tmp_path: Path) -> None:
        for name in ("mlruns", "once", "whole"):
            (tmp_path / name).mkdir()
            shutil.copy(empty_database, tmp_path / name / "mlflow.db")

    def make_recorder(self) -> Recorder:
        return MlflowRecorder(system_metrics=False)

    def stored(self, folder: StudyFolder) -> object:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri(folder.store))
        experiment = client.get_experiment_by_name(folder.name)
        assert experiment is not None
        return {
            run.info.run_name: self.run_content(client, run) for run in client.search_runs([experiment.experiment_id])
        }

    def run_content(self, client: Any, run: Any) -> object:
        own = {"ftsweep.study_id", "mlflow.parentRunId"}
        return {
            "status": run.info.status,
            "is_child": "mlflow.parentRunId" in run.data.tags,
            "tags": {key: value for key, value in run.data.tags.items() if key not in own},
            "params": run.data.params,
            "metrics": {
                key: [
                    (point.step, point.timestamp, point.value)
                    for point in client.get_metric_history(run.info.run_id, key)
                ]
                for key in run.data.metrics
            },
            "inputs": [(each.dataset.name, each.dataset.digest) for each in run.inputs.dataset_inputs],
            "artifacts": sorted(file.path for file in client.list_artifacts(run.info.run_id)),
        }


class TestBackgroundRecorder(TestMlflowRecorder):
    def make_recorder(self) -> Recorder:
        return BackgroundRecorder(MlflowRecorder(system_metrics=False))
