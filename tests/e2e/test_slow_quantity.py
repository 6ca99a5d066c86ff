"""A kill while the chosen setting trains on parts of train: the next command goes on to the undisturbed answer."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from e2e_place import Place, make_place

SETTINGS = ("budget.trials=1", "training.epochs=1", "selection.quantity=true")
PATIENCE_SECONDS = 300


def quantity_of(place: Place) -> dict[str, Any]:
    result = json.loads((place.study("small") / "result.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = result["quantity"]
    return found


@pytest.mark.slow
def test_a_kill_between_parts_changes_nothing(tmp_path: Path) -> None:
    calm, killed = make_place(tmp_path / "calm"), make_place(tmp_path / "killed")
    assert calm.run("run", "small.yaml", *SETTINGS).returncode == 0
    control = killed.start("run", "small.yaml", *SETTINGS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not list(killed.study("small").glob("quantity/*/outcome.json")):
        assert control.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "the study does not get on"
        time.sleep(0.01)  # a file has no event to wait for
    control.kill()
    control.communicate()
    ended = {path.parent.name for path in killed.study("small").glob("quantity/*/outcome.json")}
    assert 1 <= len(ended) < 3
    stamps = {name: (killed.study("small") / "quantity" / name / "outcome.json").stat().st_mtime_ns for name in ended}
    done = killed.run("run", "small.yaml", *SETTINGS)
    assert done.returncode == 0, done.stderr
    assert quantity_of(killed) == quantity_of(calm)
    for name, stamp in stamps.items():
        file = killed.study("small") / "quantity" / name / "outcome.json"
        assert file.stat().st_mtime_ns == stamp, "what had ended is not run again"
