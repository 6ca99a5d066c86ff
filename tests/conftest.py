"""What every test process does before torch is imported, the order of the files, and what is slow to make."""

from __future__ import annotations

import gc
import io
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from done_once import compose_anew, work_out_once
from omegaconf import DictConfig, OmegaConf

# Two test processes on two cores: with a thread per core each they wait for one another, spinning. With one thread the
# strategy contract of LoRA took 18 CPU seconds instead of 43, and half the time, on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# No test takes the power away: what a process wrote stays when it is killed, and no line need wait for the disk.
os.fsync = lambda handle: None

_read_yaml, _unfreeze = OmegaConf.load, gc.unfreeze
_plain_by_text: dict[str, Any] = {}


def _load_yaml(file: Any) -> Any:
    """What OmegaConf makes of a text that it has parsed before: a fifth of composing is parsing the shipped files."""
    text = file.read() if hasattr(file, "read") else Path(file).read_text(encoding="utf-8")
    if text not in _plain_by_text:
        config = _read_yaml(io.StringIO(text))
        if not isinstance(config, DictConfig):
            return config
        _plain_by_text[text] = OmegaConf.to_container(config)
    return OmegaConf.create(_plain_by_text[text])


OmegaConf.load = staticmethod(_load_yaml)  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole commands first: a file of them takes a minute, and at the end one process would wait for the other.

    Of them the kills first: they make the finished study, and when the other process asks for it it is there.
    """
    items.sort(key=lambda item: ("/e2e/" not in str(item.path), item.path.stem != "test_command_kills"))


def pytest_collection_finish() -> None:
    """Keep the collector from going through modules and tests, which stay: trials have it look through everything.

    They stay frozen when a worker unfreezes what it has: else each of its collections would take seconds again. A test
    of that asks for the fixture `unfreezing`.
    """
    work_out_once()
    gc.collect()
    gc.freeze()
    gc.unfreeze = lambda: None


@pytest.fixture
def unfreezing(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of what the collector finds: what is frozen can be unfrozen."""
    monkeypatch.setattr(gc, "unfreeze", _unfreeze)


@pytest.fixture
def composed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of what Hydra does and leaves behind: it composes whatever another test has composed."""
    compose_anew(monkeypatch.setattr)


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


@pytest.fixture(scope="session")
def empty_trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Optuna's database of a store without a study."""
    from ftsweep.search.storage.sqlite import close_storage, open_storage

    path = tmp_path_factory.mktemp("optuna") / "optuna.db"
    close_storage(open_storage(path))
    return path


@pytest.fixture
def copied_tables(empty_trials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new study's database is a copy of an empty one: making one takes Optuna three times as long as opening it."""
    monkeypatch.setattr("ftsweep.search.storage.sqlite._make_tables", lambda path: shutil.copy(empty_trials, path))
