"""The Slurm recipe of docs/cluster.md, as it stands there, on two nodes without Slurm."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_hosts import can_have_hosts
from slurm_nodes import SlurmNodes
from small_study import ask, place_in, trials

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(1800)]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[SlurmNodes]:
    pytest.importorskip("ray", reason="needs Ray: pip install 'ftsweep[ray]'")
    if not can_have_hosts() or shutil.which("ip") is None:
        pytest.skip("needs namespaces (unshare and ip, as root)")
    shared = tmp_path / "shared"
    shared.mkdir()
    nodes = SlurmNodes(shared)
    yield nodes
    nodes.close()


def recipe() -> str:
    """With the study of these tests in place of the quickstart, and the threads that it is compared with."""
    page = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```bash\n(#!/bin/bash\n#SBATCH.*?)```", page, re.DOTALL)
    assert block.count("quickstart") == 2
    started = "executor.address=auto"
    assert block.count(started) == 1
    block = block.replace("ftsweep run quickstart", "ftsweep run small.yaml").replace("quickstart", "small")
    return block.replace(started, f"{started} executor.threads=1 pruner=none store.path=/mnt/place/mlruns")


def test_job_that_is_told_its_end_is_near_goes_on_when_it_is_queued_again(nodes: SlurmNodes) -> None:
    place = nodes.shared / "place"
    place.mkdir()
    place_in(place)
    measured = place / "mlruns" / "studies" / "small" / "trials" / "0001" / "measurements.jsonl"
    job = nodes.sbatch(recipe(), "place")
    wait_for(measured, nodes, job)
    nodes.signal(signal.SIGTERM)
    job.wait(300)
    assert "the same `ftsweep run` goes on" in nodes.said()
    assert (nodes.shared / "requeued").exists(), nodes.said()

    job = nodes.sbatch(recipe(), "place")
    assert job.wait(900) == 0, nodes.said()
    own = "/tmp/ftsweep-*/stores/*/mnt/place/*"  # both nodes see the disk, and have what jobs read as links to it
    assert [bool(nodes.files(index, own)) for index in range(2)] == [True, True]
    status = ask(place, "status", "small")
    ask(place, "run", "small.yaml", "pruner=none", "study.name=here", "executor.workers=1")
    assert trials(status) == trials(ask(place, "status", "here"))
    assert len(status["trials"]) == 4


def wait_for(file: Path, nodes: SlurmNodes, job: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 600
    while not file.exists():
        assert job.poll() is None, nodes.said()
        assert time.monotonic() < deadline, nodes.said()
        time.sleep(0.2)
