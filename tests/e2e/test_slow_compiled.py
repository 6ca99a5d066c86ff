"""A study whose training passes torch compiles, by a real C++ compiler: its values, also after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
from e2e_place import Place, make_place

from ftsweep.domain.trial import TrialRecord
from ftsweep.store.folders import StudyFolder

PATIENCE_SECONDS = 600
SETTINGS = ("budget.trials=2", "rungs.count=3", "pruner=none", "training.epochs=2")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="no C++ compiler on this machine"),
]


def trials(place: Place) -> list[TrialRecord]:
    return StudyFolder(place.study("small")).records()


def values(place: Place) -> list[list[dict[str, float]]]:
    return [[dict(each.values) for each in record.measurements] for record in trials(place)]


def test_a_compiled_study_measures_what_it_does_without_also_after_its_worker_was_killed(tmp_path: Path) -> None:
    plain, compiled, killed = (make_place(tmp_path / name) for name in ("plain", "compiled", "killed"))
    for place, more in ((plain, ()), (compiled, ("training.compile=true",))):
        control = place.start("run", "small.yaml", *SETTINGS, *more)
        _, errors = control.communicate(timeout=PATIENCE_SECONDS)
        assert control.returncode == 0, errors
    for one, other in zip(values(plain), values(compiled), strict=True):
        assert [each.keys() for each in one] == [each.keys() for each in other]
        for left, right in zip(one, other, strict=True):
            assert left["validation/loss"] == pytest.approx(right["validation/loss"], abs=1e-4)
    first = trials(compiled)[0].outcome
    assert first is not None
    assert first.extra["compile_seconds"] > 1

    control = killed.start("run", "small.yaml", *SETTINGS, "training.compile=true")
    file = killed.study("small") / "trials" / "0000" / "measurements.jsonl"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists() or file.read_bytes().count(b"\n") < 2:
        assert time.monotonic() < deadline
        assert control.poll() is None, control.communicate()
        time.sleep(0.01)  # a file has no event to wait for
    children = psutil.Process(control.pid).children(recursive=True)
    worker = next(child for child in children if "ftsweep.worker.process" in child.cmdline())
    compilers = worker.children(recursive=True)
    os.kill(worker.pid, signal.SIGKILL)
    _, errors = control.communicate(timeout=PATIENCE_SECONDS)
    assert control.returncode == 0, errors
    assert values(killed) == values(compiled)
    _, alive = psutil.wait_procs(compilers, timeout=20)
    assert not alive, "what torch starts to compile ends with the worker"
