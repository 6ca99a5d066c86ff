"""The contract of executors on a real Ray cluster of this machine, and slots that are killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from ray_cluster import RayProcess

from ftsweep.cluster import RayCluster
from ftsweep.executors.base import Executor
from ftsweep.testing.executor import (
    ExecutorContract,
    poll_until,
    poll_until_free,
    poll_until_over,
    scripted_context,
    scripted_job,
)

pytestmark = [pytest.mark.slow, pytest.mark.cluster]


class TestRayCluster(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _cluster(self, cluster: RayProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        self.address = cluster.address
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)

    def make_executor(self) -> Executor:
        return RayCluster(address=self.address, threads=1)

    def test_job_of_a_killed_slot_is_lost_and_goes_on_from_what_was_brought(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        poll_until_free(executor)
        folder = tmp_path / "0001"
        script = [["say", "begun"], ["measure", 0.5], ["wait", str(tmp_path / "never")]]
        executor.submit(scripted_job("trial-0001", *script, folder=folder))
        poll_until(executor, lambda messages: any(message["type"] == "measured" for message in messages))
        assert (folder / "worker.log").exists()
        os.kill(slot_process(), signal.SIGKILL)
        lost = poll_until_over(executor, "trial-0001")[-1]
        assert (lost["type"], lost["kind"], lost["has_progress"]) == ("lost", "node", True)
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001", ["say", "again"], folder=folder))
        assert poll_until_over(executor, "trial-0001")[-1]["type"] == "ended"

    def test_bridge_that_dies_is_started_again(self, executor: Executor, tmp_path: Path) -> None:
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001", ["wait", str(tmp_path / "never")]))
        assert isinstance(executor, RayCluster)
        assert executor._bridge is not None
        os.kill(executor._bridge.pid, signal.SIGKILL)
        lost = poll_until_over(executor, "trial-0001")[-1]
        assert (lost["type"], lost["kind"]) == ("lost", "cluster")
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001"))
        assert poll_until_over(executor, "trial-0001")[-1]["type"] == "ended"

    def test_slot_that_is_asked_nothing_any_more_ends_itself(self, tmp_path: Path) -> None:
        executor = RayCluster(address=self.address, threads=1, heartbeat_seconds=4)
        executor.open(scripted_context(tmp_path))
        try:
            poll_until_free(executor)
            executor.submit(scripted_job("trial-0001", ["measure", 0.5], folder=tmp_path / "0001"))
            poll_until(executor, lambda messages: any(message["type"] == "measured" for message in messages))
            slot = Path(f"/proc/{slot_process()}")
            assert executor._bridge is not None
            os.kill(executor._bridge.pid, signal.SIGSTOP)  # as if the link were cut
            deadline = time.monotonic() + 60
            while slot.exists():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            os.kill(executor._bridge.pid, signal.SIGCONT)
            assert poll_until_over(executor, "trial-0001")[-1]["type"] == "lost"
            poll_until_free(executor)
        finally:
            executor.close(kill=True)


def slot_process() -> int:
    """The process of the only actor."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.read_bytes().startswith(b"ray::Slot"):
                found.append(int(place.parent.name))
        except OSError:
            continue
    assert len(found) == 1, found
    return found[0]
