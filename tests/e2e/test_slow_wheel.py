"""The wheel alone, in an environment of its own, used from an empty folder: nothing of the checkout is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import version
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "mlruns", "build", "dist", "*.egg-info", "__pycache__", "*.db", "tests")
TINY_STUDY = ("budget.trials=2", "data.limit=300", "training.epochs=0.5", "space.training.epochs=[0.5]")


def call(command: list[str], folder: Path) -> str:
    """What a command prints that must succeed, run without a word about the checkout in its environment."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel; its dependencies are those of the environment of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(REPOSITORY, source, ignore=LEFT_OUT)  # a build leaves files in its source tree
    # Without the network where this environment can build; an old setuptools makes `build` fetch the one it needs.
    isolation = ["--no-isolation"] if int(version("setuptools").partition(".")[0]) >= 77 else []
    call([sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", str(folder), str(source)], folder)
    (wheel,) = folder.glob("ftsweep-*.whl")
    shutil.rmtree(source)

    venv.create(folder / "venv", with_pip=False)
    python = str(folder / "venv" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet"]
    call([*pip, "--disable-pip-version-check", str(wheel)], folder)
    # Added behind its own packages, and without reading the .pth files there: the checkout stays out of sight.
    dependencies = Path(call([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip())
    (dependencies / "of_the_tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return folder / "venv" / "bin"


@pytest.fixture
def command(installed: Path, tmp_path: Path) -> str:
    where = call([str(installed / "python"), "-c", "import ftsweep; print(ftsweep.__file__)"], tmp_path)
    assert where.startswith(str(installed.parent)), "the checkout's code answers, not the wheel's"
    return str(installed / "ftsweep")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_wheel_lists_and_composes_what_is_shipped(command: str, tmp_path: Path) -> None:
    listed = json.loads(call([command, "list", "--json"], tmp_path))
    files = [entry["file"] for entries in listed.values() for entry in entries]
    shipped = [path for folder in ("conf", "sweeps") for path in (REPOSITORY / folder).rglob("*.yaml")]
    assert {path.name for path in shipped} - {"base.yaml"} == {Path(file).name for file in files}
    assert not [file for file in files if file.startswith(str(REPOSITORY))]
    shown = call([command, "show", "quickstart"], tmp_path)
    assert "study:\n  name: quickstart" in shown
    assert list(tmp_path.iterdir()) == [], "looking leaves nothing behind"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_wheel_runs_reports_and_predicts_from_an_empty_folder(command: str, tmp_path: Path) -> None:
    ending = json.loads(call([command, "run", "quickstart", *TINY_STUDY, "--json"], tmp_path))
    assert (ending["phase"], ending["num_ended"]) == ("complete", 2)
    assert ending["warnings"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["mlruns"]
    page = Path(ending["links"]["report"]).read_text(encoding="utf-8")
    assert "<style" in page
    assert "Plotly.newPlot" in page
    (tmp_path / "rows.txt").write_text("Return the inverse of a matrix.\n", encoding="utf-8")
    answer = json.loads(call([command, "predict", "quickstart", "rows.txt"], tmp_path))
    assert answer["label"]
