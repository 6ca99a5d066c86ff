"""What every test process does before torch is imported, the order of the files, and what is slow to make."""

from __future__ import annotations

import gc
import os
import warnings
from pathlib import Path

import pytest

# Two test processes on two cores: with a thread per core each they wait for one another, spinning. With one thread the
# strategy contract of LoRA took 18 CPU seconds instead of 43, and half the time, on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# No test takes the power away: what a process wrote stays when it is killed, and no line need wait for the disk.
os.fsync = lambda handle: None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole commands first: a file of them takes minutes, and at the end one process would wait for the other."""
    items.sort(key=lambda item: "/e2e/" not in str(item.path))


def pytest_collection_finish() -> None:
    """Keep the collector from going through modules and tests, which stay: trials have it look through everything."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The MLflow database of a store without a study: making one takes seconds, copying it none."""
    from ftsweep.recording.mlflow_place import MlflowPlace, prepare_environment
    from ftsweep.store.folders import Store

    prepare_environment()
    store = Store(tmp_path_factory.mktemp("mlflow"))
    with warnings.catch_warnings(action="ignore"):  # MLflow's own about SQLAlchemy
        MlflowPlace(None).make(store)
    return store.mlflow_database
