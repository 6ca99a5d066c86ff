"""Kills at real processes: the same command goes on, to the same result, with exactly the asked number of trials."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any

import psutil
import pytest
from e2e_place import Place

DEADLINE_SECONDS = 100


def values(place: Place) -> dict[int, Any]:
    """Everything a study's trials measured, by number: what must not depend on kills."""
    found = {}
    for trial in sorted((place.study("small") / "trials").glob("[0-9]*")):
        lines = (trial / "measurements.jsonl").read_text(encoding="utf-8").splitlines()
        measured = [json.loads(line.rpartition("\t")[0]) for line in lines]
        outcome = json.loads((trial / "outcome.json").read_text(encoding="utf-8"))
        found[int(trial.name)] = ([(entry["rung"], entry["values"]) for entry in measured], outcome["kind"])
    return found


def wait_for_rung(place: Place, number: int, rung: int, process: subprocess.Popen[str]) -> None:
    file = place.study("small") / "trials" / f"{number:04d}" / "measurements.jsonl"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if file.exists() and len(file.read_text(encoding="utf-8").splitlines()) > rung:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)  # a file has no event to wait for
    raise AssertionError(f"trial {number} did not reach rung {rung}")


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "ftsweep.worker.process" in " ".join(child.cmdline())]


@pytest.fixture
def undisturbed(finished: tuple[Place, Any]) -> dict[int, Any]:
    return values(finished[0])


@pytest.mark.timeout(300)
def test_study_killed_twice_and_interrupted_ends_as_an_undisturbed_one(
    place: Place, undisturbed: dict[int, Any]
) -> None:
    control = place.start("run", "small.yaml")
    wait_for_rung(place, 0, 1, control)
    left_behind = workers_of(control)
    assert left_behind
    control.kill()
    control.communicate()
    psutil.wait_procs(left_behind, timeout=20)
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in left_behind)

    control = place.start("run", "small.yaml", start_new_session=True)
    wait_for_rung(place, 1, 0, control)
    (worker,) = workers_of(control)[:1]
    worker.send_signal(signal.SIGKILL)
    second = place.run("run", "small.yaml")  # while a new worker starts
    assert second.returncode == 2
    assert f"process {control.pid}" in second.stderr

    wait_for_rung(place, 1, 2, control)  # the new worker's
    assert worker.pid not in [each.pid for each in workers_of(control)]
    started = time.monotonic()
    os.killpg(control.pid, signal.SIGINT)
    out, errors = control.communicate(timeout=DEADLINE_SECONDS)
    assert control.returncode == 0, errors
    assert time.monotonic() - started < 10
    assert "the same command goes on" in out
    checkpoint = place.study("small") / "trials" / "0001" / "checkpoint"
    assert checkpoint.exists()

    done = place.run("run", "small.yaml")
    assert done.returncode == 0, done.stderr
    assert "4 trials:" in done.stdout
    assert values(place) == undisturbed
    assert not checkpoint.exists()
