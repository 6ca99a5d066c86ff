"""Places to run the command in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from e2e_place import Place, make_place


@pytest.fixture
def place(tmp_path: Path, empty_database: Path) -> Place:
    return make_place(tmp_path, database=empty_database)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, subprocess.CompletedProcess[str]]:
    """One finished study that all tests may look at and none may change."""
    place = make_place(tmp_path_factory.mktemp("finished"))
    done = place.run_as_a_person("run", "small.yaml")
    assert done.returncode == 0, done.stderr
    return place, done
