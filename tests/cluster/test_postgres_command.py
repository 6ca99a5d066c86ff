"""`ftsweep run` with its trials in a real PostgreSQL that is killed in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from postgres_server import PASSWORD, PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(1800)]

SWEEP = """\
defaults: [base, model: tiny, data: files, task: classification, strategy: lora, _self_]
data: {train: rows.jsonl, validation_fraction: 0.2, test_fraction: 0.2}
task: {max_length: 24}
strategy: {rank: 2}
training: {batch_size: 8, epochs: 2}
budget: {trials: 4}
rungs: {count: 4}
selection: {seeds: 0}
executor: {threads: 1}
guards: {small_data: allow}
recording: {system_metrics: false}
space: {training: {learning_rate: {low: 1e-4, high: 1e-2, log: true}}}
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "ftsweep.cli.main", *words]


def ask(folder: Path, *words: str) -> Any:
    done = subprocess.run(command(*words, "--json"), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SWEEP)
    words = {
        "sea": ["wave", "ship", "harbour", "tide", "sailor", "anchor"],
        "farm": ["cow", "barn", "wheat", "plough", "meadow", "tractor"],
    }
    rows = [
        {"text": f"the {one} and the {other}", "label": label}
        for label, kinds in words.items()
        for one, other in permutations(kinds, 2)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def trials(status: Any) -> list[Any]:
    return [(each["number"], each["params"], each["outcome"], each["value"]) for each in status["trials"]]


def test_study_survives_a_killed_server_and_comes_to_the_same_as_in_a_file(server: PostgresServer, place: Path) -> None:
    words = ("run", "small.yaml", "pruner=none", f"store.database={server.address}")
    process = subprocess.Popen(command(*words), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    trial = place / "mlruns" / "studies" / "small" / "trials" / "0001"
    wait_for(trial / "measurements.jsonl", process)
    server.kill()
    time.sleep(3)
    server.start()
    said, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    assert errors == ""
    assert "Optuna's database is away for" in said
    assert f"Database {server.address}: ask " in said

    status = ask(place, "status", "small")
    assert status["database"]["num_waits"] >= 1
    ask(place, "run", "small.yaml", "pruner=none", "study.name=in_a_file")
    assert trials(status) == trials(ask(place, "status", "in_a_file"))
    identity = json.loads((place / "mlruns" / "store.json").read_text())["identity"]
    stored = server.ask(
        "SELECT count(*), count(DISTINCT number), min(state::text), max(state::text) FROM trials JOIN studies "
        f"USING (study_id) WHERE study_name = '{identity}/small'"
    )
    assert stored == "4|4|COMPLETE|COMPLETE"
    assert ask(place, *words)["was_complete"]
    files = [file for file in place.rglob("*") if file.is_file()]
    assert [file.name for file in files if PASSWORD.encode() in file.read_bytes()] == []
    assert os.environ["PGPASSWORD"] == PASSWORD
