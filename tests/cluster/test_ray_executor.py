"""The contract of executors on a real Ray cluster of this machine, and slots that are killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
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


class OnCluster(ExecutorContract):
    """Of the module's cluster."""

    lanes = 1

    @pytest.fixture(autouse=True)
    def _cluster(self, cluster: RayProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        self.address = cluster.address
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)

    def make_executor(self) -> Executor:
        return RayCluster(address=self.address, threads=1, lanes=self.lanes)


class TestRayCluster(OnCluster):
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

    def test_log_comes_while_a_job_works(self, executor: Executor, tmp_path: Path) -> None:
        poll_until_free(executor)
        folder = tmp_path / "0001"
        executor.submit(scripted_job("trial-0001", ["wait", str(tmp_path / "never")], folder=folder))
        poll_until(executor, lambda _: (folder / "worker.log").exists())
        assert "trial-0001 begins (train)" in (folder / "worker.log").read_text()

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

    def test_slots_have_the_lanes_that_were_measured_in_one_and_so_have_those_that_come_later(
        self, tmp_path: Path
    ) -> None:
        executor = RayCluster(address=self.address, threads=1, lanes="auto")
        executor.open(scripted_context(tmp_path))
        try:
            poll_until_free(executor)
            executor.submit(scripted_job("lanes-model", kind="rate_lanes"))
            poll_until_over(executor, "lanes-model")
            executor.use_lanes(2)
            for names in (("one", "two"), ("three", "four")):
                poll_until(executor, lambda _: executor.num_free == 2)
                for name in names:
                    executor.submit(scripted_job(name, ["measure", 0.5], folder=tmp_path / name))
                poll_until(executor, lambda heard: sum(each["type"] == "measured" for each in heard) == 2)
                os.kill(slot_process(), signal.SIGKILL)
                poll_until_over(executor, *names)
        finally:
            executor.close(kill=True)


class TestLanesOfRayCluster(OnCluster):
    lanes = 2

    def test_lanes_are_heard_in_an_order_that_time_does_not_change(self, executor: Executor, tmp_path: Path) -> None:
        poll_until_free(executor)
        assert (executor.num_lanes, executor.num_slots, executor.num_free) == (2, 2, 2)
        waiting = [
            scripted_job("one", ["measure", 0.5], ["measure", 0.4], folder=tmp_path / "1"),
            scripted_job("two", ["measure", 0.5], folder=tmp_path / "2"),
            scripted_job("three", ["touch", "/dev/null"], ["measure", 0.5], folder=tmp_path / "3"),
        ]
        found = []
        while waiting or executor.num_free < executor.num_slots:
            while waiting and executor.num_free:
                executor.submit(waiting.pop(0))
            messages = [message for message in executor.poll(1.0) if message.get("job")]
            for message in messages:
                if message["type"] == "measured":
                    executor.reply(message["job"], {"type": "continue", "job": message["job"]})
            if messages:
                found.append([(message["type"], message["job"]) for message in messages])
        assert found == [
            [("measured", "one"), ("measured", "two")],
            [("measured", "one"), ("ended", "two")],
            [("ended", "one")],
            [("measured", "three")],
            [("ended", "three")],
        ]
        assert [(tmp_path / name / "worker.log").exists() for name in "123"] == [True] * 3

    def test_lanes_of_a_killed_slot_are_all_lost_and_go_on(self, executor: Executor, tmp_path: Path) -> None:
        poll_until_free(executor)
        names = ("trial-0001", "trial-0002")
        for name in names:
            executor.submit(scripted_job(name, ["measure", 0.5], folder=tmp_path / name))
        messages = poll_until(executor, lambda heard: sum(each["type"] == "measured" for each in heard) == 2)
        os.kill(slot_process(), signal.SIGKILL)
        messages = poll_until_over(executor, *names)
        lost = [
            (message["job"], message["kind"], message["has_progress"]) for message in messages if message.get("job")
        ]
        assert sorted(lost) == [(name, "node", True) for name in names]
        poll_until(executor, lambda _: executor.num_free == 2)
        for name in names:
            executor.submit(scripted_job(name, folder=tmp_path / name))
        assert [each["type"] for each in poll_until_over(executor, *names) if each.get("job")] == ["ended", "ended"]


def slot_process() -> int:
    """The process of the only actor of this module's cluster."""
    (found,) = [each.pid for each in psutil.Process().children(recursive=True) if is_slot(each)]
    return int(found)


def is_slot(process: psutil.Process) -> bool:
    try:
        return bool(process.cmdline() and process.cmdline()[0].startswith("ray::Slot"))
    except psutil.Error:  # it has just ended
        return False
