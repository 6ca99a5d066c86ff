from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ftsweep.recording.mlflow_place import prepare_environment
from ftsweep.recording.ui import tracking_uri
from ftsweep.store.folders import Store, StudyFolder


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without content: making one takes seconds, copying it none."""
    prepare_environment()
    from mlflow import MlflowClient

    store = Store(tmp_path_factory.mktemp("mlflow"))
    MlflowClient(tracking_uri(store)).search_experiments()
    return store.mlflow_database


@pytest.fixture
def folder(empty_database: Path, tmp_path: Path) -> StudyFolder:
    """A study's folder in a store with an empty MLflow database; the path has characters that URIs escape."""
    store = Store(tmp_path / "my runs %#1")
    store.root.mkdir()
    shutil.copy(empty_database, store.mlflow_database)
    return store.study("example")
