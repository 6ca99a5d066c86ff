"""Places to run the command in."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from e2e_place import LISTING, Place, make_place

from ftsweep.store.locks import locked


@pytest.fixture
def place(tmp_path: Path, empty_database: Path) -> Place:
    return make_place(tmp_path, database=empty_database)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, subprocess.CompletedProcess[str]]:
    """One finished study that all tests may look at and none may change; several test processes make one together."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    place, kept = Place(folder / "finished"), folder / "finished.json"
    with locked(folder / "finished.lock"):
        if not kept.exists():
            make_place(place.folder)
            place.imported.mkdir()
            (place.imported / "sitecustomize.py").write_text(LISTING, encoding="utf-8")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("LISTED", str(place.imported))
                patch.setenv("PYTHONPATH", str(place.imported), prepend=os.pathsep)
                done = place.run_as_a_person("run", "small.yaml")
            assert done.returncode == 0, done.stderr
            kept.write_text(json.dumps([done.args, done.returncode, done.stdout, done.stderr]), encoding="utf-8")
    return place, subprocess.CompletedProcess(*json.loads(kept.read_text(encoding="utf-8")))
