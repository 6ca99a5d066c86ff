"""Two stores with studies of one name on one MLflow do not write into each other's experiment or model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ftsweep.errors import ConfigError, StudyError
from ftsweep.recording.base import ChosenModel
from ftsweep.recording.mlflow import MlflowRecorder
from ftsweep.store.atomic import write_json
from ftsweep.store.folders import Store, StudyFolder
from ftsweep.store.identity import store_identity
from ftsweep.testing.recorder import record_trial, study_facts

pytestmark = [
    # SQLAlchemy tells MLflow 3.17 that a loader it uses is deprecated
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
    # MLflow 3.17 warns about a type hint of its own when mlflow.pyfunc is imported
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]


@pytest.fixture
def shared(empty_database: Path, tmp_path: Path) -> str:
    """A database that several stores record in."""
    shutil.copy(empty_database, tmp_path / "shared.db")
    return f"sqlite:///{tmp_path}/shared.db"


def study_in(place: Path) -> StudyFolder:
    place.mkdir(parents=True, exist_ok=True)
    return Store(place).study("example")


def opened(folder: StudyFolder, uri: str) -> MlflowRecorder:
    recorder = MlflowRecorder(tracking_uri=uri, system_metrics=False)
    recorder.open(study_facts(folder))
    return recorder


def experiments(uri: str) -> dict[str, list[str]]:
    """The names of runs by experiment."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    return {
        each.name: sorted(run.info.run_name for run in client.search_runs([each.experiment_id]))
        for each in client.search_experiments(filter_string="name LIKE 'example%'")
    }


def test_each_store_has_an_experiment_of_its_own(shared: str, tmp_path: Path) -> None:
    mine, theirs = study_in(tmp_path / "mine"), study_in(tmp_path / "theirs")
    record_trial(opened(mine, shared), 0)
    other = opened(theirs, shared)
    record_trial(other, 0)
    record_trial(other, 1)
    name = f"example-{store_identity(theirs.store)}"
    assert experiments(shared) == {"example": ["sweep", "trial-0000"], name: ["sweep", "trial-0000", "trial-0001"]}
    assert name in other.links()["MLflow experiment"]
    again = opened(mine, shared)
    record_trial(again, 1)
    assert experiments(shared)["example"] == ["sweep", "trial-0000", "trial-0001"]
    assert "MLflow experiment" not in again.links()
    record_trial(opened(theirs, shared), 2)
    assert experiments(shared)[name][-1] == "trial-0002"


def test_an_experiment_that_somebody_made_by_hand_is_left_alone(shared: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    MlflowClient(shared).create_experiment("example")
    folder = study_in(tmp_path / "mine")
    record_trial(opened(folder, shared), 0)
    assert experiments(shared)["example"] == []


def registered(folder: StudyFolder, uri: str) -> Any:
    exported = folder.path / "model"
    write_json(exported / "ftsweep.json", {"place": str(folder.path)})
    recorder = opened(folder, uri)
    record_trial(recorder, 0)
    rows, answers = [{"text": "one"}, {"text": "two"}], [{"label": "a", "probability": 0.9}] * 2
    return recorder.register(ChosenModel(0, exported, rows, answers, metrics={"test/accuracy": 0.75}))


def test_each_store_has_a_registered_model_of_its_own(shared: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    mine, theirs = study_in(tmp_path / "mine"), study_in(tmp_path / "theirs")
    assert registered(mine, shared) == "models:/example@champion"
    name = f"example-{store_identity(theirs.store)}"
    assert registered(theirs, shared) == f"models:/{name}@champion"
    assert registered(theirs, shared) == f"models:/{name}@champion"
    client = MlflowClient(shared)
    assert {each.name: str(each.aliases["champion"]) for each in client.search_registered_models()} == {
        "example": "1",
        name: "1",
    }


def test_a_moved_store_does_not_write_to_its_old_place_through_a_shared_database(shared: str, tmp_path: Path) -> None:
    folder = study_in(tmp_path / "old")
    opened(folder, shared).close(finished=False)
    shutil.move(tmp_path / "old", tmp_path / "new")
    moved = Store(tmp_path / "new").study("example")
    with pytest.raises(StudyError, match="ln -s") as caught:
        opened(moved, shared)
    assert not (tmp_path / "old").exists()
    assert f"ln -s {tmp_path}/new {tmp_path}/old" in str(caught.value)
    (tmp_path / "old").symlink_to(tmp_path / "new")
    record_trial(opened(moved, shared), 0)


def test_a_moved_store_stays_itself_and_a_copy_becomes_another(tmp_path: Path) -> None:
    old = Store(tmp_path / "old")
    old.root.mkdir()
    identity = store_identity(old)
    assert store_identity(old) == identity
    shutil.copytree(old.root, tmp_path / "copy")
    copied = store_identity(Store(tmp_path / "copy"))
    assert copied != identity
    assert store_identity(Store(tmp_path / "copy")) == copied
    shutil.move(old.root, tmp_path / "moved")
    assert store_identity(Store(tmp_path / "moved")) == identity
    (tmp_path / "link").symlink_to(tmp_path / "moved")
    assert store_identity(Store(tmp_path / "link")) == identity


def named(folder: StudyFolder, uri: str | None, **names: str) -> MlflowRecorder:
    recorder = MlflowRecorder(tracking_uri=uri, system_metrics=False, **names)
    recorder.open(study_facts(folder))
    return recorder


def test_experiment_and_model_have_the_names_that_the_sweep_gives(shared: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    folder = study_in(tmp_path / "mine")
    exported = folder.path / "model"
    write_json(exported / "ftsweep.json", {})
    recorder = named(folder, shared, experiment="example of a team", model="topics")
    record_trial(recorder, 0)
    rows, answers = [{"text": "one"}, {"text": "two"}], [{"label": "a", "probability": 0.9}] * 2
    chosen = ChosenModel(0, exported, rows, answers, metrics={"test/accuracy": 0.75})
    assert recorder.register(chosen) == "models:/topics@champion"
    assert experiments(shared) == {"example of a team": ["sweep", "trial-0000"]}
    assert [each.name for each in MlflowClient(shared).search_registered_models()] == ["topics"]


@pytest.mark.parametrize("place", ["shared", "own"])
def test_a_name_that_another_study_of_the_store_has_is_refused_at_the_start(
    shared: str, empty_database: Path, tmp_path: Path, place: str
) -> None:
    uri = shared if place == "shared" else None
    first = study_in(tmp_path / "mine")
    shutil.copy(empty_database, first.store.mlflow_database)
    other = first.store.study("other")
    named(first, uri, experiment="example")
    with pytest.raises(StudyError, match=r"study 'example' .*under the name 'example'.*recording\.experiment="):
        named(other, uri, experiment="example")
    if uri is not None:
        registered(first, uri)
        with pytest.raises(StudyError, match=r"study 'example' of this store under the name 'example'"):
            named(other, uri, model="example")


def test_another_stores_name_is_not_taken_though_the_sweep_gives_it(shared: str, tmp_path: Path) -> None:
    mine, theirs = study_in(tmp_path / "mine"), study_in(tmp_path / "theirs")
    record_trial(named(mine, shared, experiment="example-team"), 0)
    other = named(theirs, shared, experiment="example-team")
    assert experiments(shared)["example-team"] == ["sweep", "trial-0000"]
    assert f"example-team-{store_identity(theirs.store)}" in other.links()["MLflow experiment"]


@pytest.mark.parametrize("names", [{"experiment": ""}, {"model": "a/b"}, {"model": "a@b"}, {"experiment": "a:b"}])
def test_name_that_mlflow_could_not_find_again_is_refused(names: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"cannot be the name of MLflow's"):
        MlflowRecorder(**names)
