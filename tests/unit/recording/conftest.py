from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ftsweep.store.folders import Store, StudyFolder


@pytest.fixture
def folder(empty_database: Path, tmp_path: Path) -> StudyFolder:
    """A study's folder in a store with an empty MLflow database; the path has characters that URIs escape."""
    store = Store(tmp_path / "my runs %#1")
    store.root.mkdir()
    shutil.copy(empty_database, store.mlflow_database)
    return store.study("example")
