"""A study recorded on a real MLflow server."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftsweep.recording.background import BackgroundRecorder
from ftsweep.recording.base import ChosenModel
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.recording.ui import ui_command, ui_environment
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import Store
from ftsweep.testing.recorder import record_trial, study_facts

pytestmark = [
    pytest.mark.slow,
    # MLflow 3.17 warns about a type hint of its own when mlflow.pyfunc is imported
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server that `ftsweep ui` would start, on a store of its own."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    store = Store(tmp_path / "server")
    store.root.mkdir()
    address = f"http://127.0.0.1:{port}"
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            ui_command(store, port=port), env={**os.environ, **ui_environment()}, stdout=log, stderr=log
        )
        try:
            for _ in range(180):
                try:
                    urllib.request.urlopen(f"{address}/health", timeout=5).close()
                    break
                except OSError:
                    assert process.poll() is None, (tmp_path / "server.log").read_text()
                    time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.timeout(300)
def test_a_server_has_the_whole_study_and_its_champion(
    server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = Store(tmp_path / "mlruns").study("example")
    recorder = BackgroundRecorder(MlflowRecorder(tracking_uri=server, system_metrics=False))
    recorder.open(study_facts(folder))
    for number in range(3):
        record_trial(recorder, number)
    model = folder.path / "model"
    write_json(model / "ftsweep.json", {})
    for _ in range(2):
        uri = recorder.register(ChosenModel(1, model, [{"text": "a"}], [{"label": "b"}], {"test/loss": 1.0}))
        assert uri == "models:/example@champion"
    assert recorder.close(finished=True) == []
    assert recorder.links()["MLflow"].startswith(f"{server}/#/experiments/")

    import mlflow

    client = mlflow.MlflowClient(server)
    experiment = client.get_experiment_by_name("example")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name or "" for run in runs) == ["sweep", "trial-0000", "trial-0001", "trial-0002"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(client.search_model_versions("name = 'example'")) == 1
    mlflow.set_tracking_uri(server)
    try:
        files = mlflow.artifacts.download_artifacts("models:/example@champion", dst_path=str(tmp_path / "champion"))
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # unsets it
    assert (Path(files) / "mlflow_model.py").exists()
    assert capfd.readouterr().out == ""  # MLflow would print addresses into the live view
