"""The example of docs/own-components.md through the real command: nothing but the sweep file's folder is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from e2e_place import Place

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "tickets"
SMALL = [
    *("executor.workers=1", "recording=none", "budget.trials=2", "rungs.count=2"),
    *("training.epochs=1", "selection.seeds=0"),
]


@pytest.mark.timeout(300)
def test_example_runs_and_its_model_answers(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "mlruns"))
    place = Place(tmp_path)
    done = place.run("run", "tickets.yaml", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "is chosen: validation/cost" in done.stdout
    page = (place.study("tickets") / "report.html").read_text(encoding="utf-8")
    assert "Cost against accuracy" in page, "the figure of one's own"
    answered = place.run("predict", "tickets", stdin="I was charged twice\n")
    assert answered.returncode == 0, answered.stderr
    assert '"label"' in answered.stdout
