"""`ftsweep run` with its trials in a real PostgreSQL that is killed in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from postgres_server import PASSWORD, PostgresServer
from small_study import ask, command, trials, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(1800)]


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
