"""The real command while MLflow is slow, refuses, is killed or locked: training goes on, and all arrives once."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from e2e_place import Place
from mlflow_servers import RealServer, false_server

from ftsweep.recording.ui import tracking_uri
from ftsweep.store.folders import Store, StudyFolder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
QUICK = ("training.epochs=1", "rungs.count=3", "budget.trials=3")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    server = RealServer(tmp_path)
    server.start()
    yield server
    server.kill()


def study_of(place: Place) -> StudyFolder:
    return Store(place.folder / "mlruns").study("small")


def assert_all_arrived_once(uri: str, folder: StudyFolder) -> None:
    """Every trial has one run of its outcome, every rung one point, in MLflow as on disk."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    records = folder.records()
    names = [f"trial-{record.number:04d}" for record in records]
    assert sorted(map(str, runs)) == sorted([*names, "sweep", "baseline-main"])
    for name, record in zip(names, records, strict=True):
        run = runs[name]
        assert record.outcome is not None
        assert run.data.tags["ftsweep.outcome"] == record.outcome.kind.value
        assert run.info.status == ("FINISHED" if record.is_complete else "KILLED")
        history = client.get_metric_history(run.info.run_id, "validation/loss")
        assert [point.step for point in history] == [measurement.rung for measurement in record.measurements]
        assert [point.value for point in history] == [each.values["validation/loss"] for each in record.measurements]
        assert len(run.inputs.dataset_inputs) == 1
    assert runs["sweep"].info.status == "FINISHED"
    assert len(client.search_model_versions("name = 'small'")) == 1


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


@pytest.mark.parametrize(("status", "seconds"), [(503, 0.0), (500, 3.0)], ids=["refusing", "slow"])
def test_study_on_a_server_of_no_use_ends_says_so_and_arrives_once_elsewhere(
    place: Place, status: int, seconds: float
) -> None:
    with false_server(status=status, seconds=seconds) as (address, asked):
        done = place.run("run", "small.yaml", *QUICK, f"recording.tracking_uri={address}", "--json")
    assert done.returncode == 0, done.stderr
    assert asked
    answer = json.loads(done.stdout)
    (warning,) = answer["warnings"]
    assert "The record is not complete" in warning
    assert address in warning
    assert "the next 'ftsweep run' of this study sends it" in warning
    folder = study_of(place)
    assert all(record.outcome is not None for record in folder.records())
    for _ in range(2):
        assert place.ask("run", "small.yaml", *QUICK, "--json")["warnings"] == []
        assert_all_arrived_once(tracking_uri(folder.store), folder)


def test_server_killed_during_a_study_gets_everything_once_when_it_is_back(place: Place, server: RealServer) -> None:
    server.wait_until_it_answers()
    words = ("run", "small.yaml", *QUICK, f"recording.tracking_uri={server.address}", "--json")
    folder = study_of(place)
    with place.start(*words) as process:
        wait_for(folder.trial(0).measurements_file)
        server.kill()
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    (warning,) = json.loads(out)["warnings"]
    assert "The record is not complete" in warning
    server.start()
    server.wait_until_it_answers()
    for _ in range(2):
        assert place.ask(*words)["warnings"] == []
        assert_all_arrived_once(server.address, folder)


def test_server_that_is_back_before_the_end_gets_everything_in_the_same_run(place: Place, server: RealServer) -> None:
    server.wait_until_it_answers()
    words = ("run", "small.yaml", "training.epochs=4", "budget.trials=8", f"recording.tracking_uri={server.address}")
    folder = study_of(place)
    with place.start(*words, "--json") as process:
        wait_for(folder.trial(0).outcome_file)
        server.kill()
        wait_for(folder.trial(1).measurements_file)
        server.start()
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert json.loads(out)["warnings"] == []
    assert_all_arrived_once(server.address, folder)


def test_locked_mlflow_database_is_waited_for_while_training_goes_on(place: Place) -> None:
    folder = study_of(place)
    with place.start("run", "small.yaml", *QUICK, "--json") as process:
        wait_for(folder.trial(0).measurements_file)
        with closing(sqlite3.connect(folder.store.mlflow_database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            wait_for(folder.trial(2).outcome_file)
            other.execute("ROLLBACK")
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert json.loads(out)["warnings"] == []
    assert_all_arrived_once(tracking_uri(folder.store), folder)


def test_locked_optuna_database_is_waited_for_and_the_study_is_whole(place: Place) -> None:
    folder = study_of(place)
    with place.start("run", "small.yaml", *QUICK, "--json") as process:
        wait_for(folder.trial(0).measurements_file)
        with closing(sqlite3.connect(folder.store.optuna_database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert process.poll() is None
            time.sleep(8)  # longer than any rung takes
            other.execute("ROLLBACK")
        _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    kinds: Any = Counter(record.outcome.kind.value for record in folder.records() if record.outcome)
    assert kinds.total() == 3
    with closing(sqlite3.connect(folder.store.optuna_database)) as connection:
        states = [state for (state,) in connection.execute("SELECT state FROM trials")]
    assert len(states) == 3
    assert "RUNNING" not in states
