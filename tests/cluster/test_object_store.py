"""A study on s3:// whose machine dies, by `kill -9` and the loss of all its files: another one goes on with it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_server import BUCKET, s3_server
from small_study import command, wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
ADDRESS = f"s3://{BUCKET}/team"


@pytest.fixture
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


def on(machine: Path) -> dict[str, str]:
    """The environment of a machine, whose files lie in this folder."""
    return {**os.environ, "FTSWEEP_STORES": str(machine), "OMP_NUM_THREADS": "1"}


def run(place: Path, machine: Path, *words: str) -> str:
    done = subprocess.run(command(*words), cwd=place, env=on(machine), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(study: Path) -> dict[str, Any]:
    found = {}
    for trial in sorted(study.glob("trials/[0-9]*")):
        lines = (trial / "measurements.jsonl").read_text(encoding="utf-8").splitlines()
        measured = [json.loads(line.rpartition("\t")[0]) for line in lines]
        outcome = json.loads((trial / "outcome.json").read_text(encoding="utf-8"))
        found[trial.name] = ([(each["rung"], each["values"]) for each in measured], outcome["kind"])
    return found


def test_another_machine_goes_on_to_the_same_values(server: str, place: Path) -> None:
    run(place, place, "run", "small.yaml", "store.path=mlruns")
    machines = [place / "one", place / "two", place / "three"]
    words = ["run", "small.yaml", f"store.path={ADDRESS}"]
    control = subprocess.Popen(command(*words), cwd=place, env=on(machines[0]), stderr=subprocess.PIPE, text=True)
    while not (found := list(machines[0].glob("*/studies/small"))):
        assert control.poll() is None, control.communicate()
    wait_for(found[0] / "trials" / "0002" / "measurements.jsonl", control)
    control.kill()
    control.communicate()
    machines[0].rename(place / "gone")
    told = run(place, machines[2], "status", "small", "--store", ADDRESS)
    assert "not finished" in told
    run(place, machines[1], *words)
    (study,) = machines[1].glob("*/studies/small")
    assert values(study) == values(place / "mlruns" / "studies" / "small")
    answer = json.loads(run(place, machines[2], "best", "small", "--json", "--store", ADDRESS))
    assert answer["conclusion"]["model"] is not None
    exported = run(place, machines[2], "best", "small", "--export", "model", "--store", ADDRESS)
    assert (place / "model" / "adapter_config.json").exists(), exported
    secrets = subprocess.run(["grep", "-rl", "testing-secret", str(place)], check=False)
    assert secrets.returncode != 0, "a secret of the environment lies in a file"
