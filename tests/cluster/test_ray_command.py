"""`ftsweep run` on the hosts of a Ray cluster that do not see its store: the same values, whatever dies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ray_hosts import RayHosts
from small_study import ask, command, trials, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(1800)]


def begun(place: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command(*words), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("lanes", [1, 2])
def test_study_comes_to_the_same_whatever_dies(
    hosts: RayHosts, place: Path, monkeypatch: pytest.MonkeyPatch, lanes: int
) -> None:
    for name, value in hosts.environment.items():
        monkeypatch.setenv(name, value)
    hosts.add("one")
    hosts.add("two")
    hosts.wait("one", "two")
    words = ("run", "small.yaml", "pruner=none", "executor=ray", f"executor.address={hosts.address}")
    words = (*words, "executor.threads=1", f"executor.lanes={lanes}")
    folder = place / "mlruns" / "studies" / "small" / "trials"

    process = begun(place, *words)
    wait_for(folder / "0000" / "measurements.jsonl", process)
    process.kill()
    process.communicate()
    process = begun(place, *words)
    wait_for(folder / "0002" / "measurements.jsonl", process)
    hosts.kill("one")
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    assert errors == ""

    status = ask(place, "status", "small")
    ask(place, "run", "small.yaml", "pruner=none", "study.name=here", "executor.workers=1")
    assert trials(status) == trials(ask(place, "status", "here"))
    assert len(status["trials"]) == 4
    assert ask(place, *words)["was_complete"]
    assert list(place.rglob("*.incoming.tmp")) == []
    token = hosts.environment["RAY_AUTH_TOKEN"].encode()
    assert [file for file in place.rglob("*") if file.is_file() and token in file.read_bytes()] == []
    logged = subprocess.run(command("logs", "small", "1"), cwd=place, capture_output=True, text=True, check=True)
    assert logged.stdout == (folder / "0001" / "worker.log").read_text(encoding="utf-8")
    hosts.kill("two")
