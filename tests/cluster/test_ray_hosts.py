"""The executor over several hosts that share no disk: they join, drain, die, and are refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray_hosts import RayHosts

from ftsweep.cluster import RayCluster
from ftsweep.errors import ConfigError
from ftsweep.executors.base import Message
from ftsweep.testing.executor import poll_until, poll_until_free, poll_until_over, scripted_context, scripted_job

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def _two_hosts(hosts: RayHosts) -> None:
    hosts.add("one")
    hosts.add("two")
    hosts.wait("one", "two")


@pytest.fixture(autouse=True)
def _token(hosts: RayHosts, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in hosts.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def executor(hosts: RayHosts, tmp_path: Path) -> Iterator[RayCluster]:
    executor = RayCluster(address=hosts.address, threads=1)
    executor.open(scripted_context(tmp_path))
    yield executor
    executor.close(kill=True)


def submitted(executor: RayCluster, folder: Path, *after: list[Any]) -> dict[str, str]:
    """A job in each slot that has measured a rung and waits for its answer; the worker of each."""
    count = executor.num_free
    for number in range(count):
        name = f"trial-{number:04d}"
        executor.submit(scripted_job(name, ["measure", 0.5], *after, folder=folder / name))
    messages = poll_until(executor, lambda messages: len(measured(messages)) == count)
    return {message["job"]: message["worker"] for message in measured(messages)}


def measured(messages: list[Message]) -> list[Message]:
    return [message for message in messages if message["type"] == "measured"]


def lost_of(executor: RayCluster) -> Message:
    messages = poll_until(executor, lambda messages: any(message["type"] == "lost" for message in messages))
    return next(message for message in messages if message["type"] == "lost")


def test_what_no_host_can_hold_is_refused_at_once(hosts: RayHosts, tmp_path: Path) -> None:
    executor = RayCluster(address=hosts.address, slots=[{"gpus": 1, "accelerator": "H100"}])
    executor.open(scripted_context(tmp_path))
    began = time.monotonic()
    try:
        with pytest.raises(
            ConfigError, match=r"can hold a slot of \{gpus: 1, accelerator: H100\}: .*one has 1 CPUs, 0 GPUs"
        ):
            poll_until_free(executor)
        assert time.monotonic() - began < 90
    finally:
        executor.close(kill=True)


def test_slots_share_a_gpu_and_choose_its_host_by_kind(hosts: RayHosts, tmp_path: Path) -> None:
    kind = """--resources '{"accelerator_type:H100": 1}'"""
    hosts.add("gpus", "--num-cpus", "4", "--num-gpus", "1", kind)
    hosts.wait("gpus")
    wishes = [{"gpus": 0.5, "accelerator": "H100", "count": 1}, {"gpus": 0.25}]
    executor = RayCluster(address=hosts.address, threads=1, slots=wishes)
    executor.open(scripted_context(tmp_path))
    try:
        poll_until(executor, lambda _: executor.num_free == 3)  # one of a half, and two of a quarter
        workers = submitted(executor, tmp_path)
        assert len(workers) == len(set(workers.values())) == 3
        assert all(worker.startswith("gpus gpu share") for worker in workers.values()), workers
    finally:
        executor.close(kill=True)
        hosts.kill("gpus")


def test_a_wrong_token_is_told(hosts: RayHosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    executor = RayCluster(address=hosts.address)
    executor.open(scripted_context(tmp_path))
    try:
        with pytest.raises(ConfigError, match="no Ray cluster can be used at"):
            poll_until_free(executor)
    finally:
        executor.close(kill=True)


def test_a_host_that_dies_is_noticed_and_its_trial_goes_on_elsewhere(
    hosts: RayHosts, executor: RayCluster, tmp_path: Path
) -> None:
    poll_until(executor, lambda _: executor.num_free == 2)
    workers = submitted(executor, tmp_path)
    job = next(job for job, worker in workers.items() if worker.startswith("one "))
    began = time.monotonic()
    hosts.kill("one")
    lost = lost_of(executor)
    assert time.monotonic() - began < 20
    assert (lost["job"], lost["kind"], lost["has_progress"]) == (job, "node", True)
    (other,) = set(workers) - {job}
    executor.reply(other, {"type": "continue", "job": other})
    assert poll_until_over(executor, other)[-1]["type"] == "ended"
    poll_until_free(executor)
    executor.submit(scripted_job(job, folder=tmp_path / job))
    assert poll_until_over(executor, job)[-1]["worker"].startswith("two ")


def test_a_host_that_joins_is_used_and_one_that_drains_gives_its_trial_back(
    hosts: RayHosts, executor: RayCluster, tmp_path: Path
) -> None:
    poll_until_free(executor)
    hosts.add("three")
    hosts.wait("three")
    poll_until(executor, lambda _: executor.num_free == hosts.num_others)
    workers = submitted(executor, tmp_path, ["wait", str(tmp_path / "never")])
    job = next(job for job, worker in workers.items() if worker.startswith("three "))
    executor.reply(job, {"type": "continue", "job": job})  # it trains now
    hosts.drain(node_of(hosts, "three"))
    lost = lost_of(executor)
    assert (lost["job"], lost["kind"], lost["has_progress"]) == (job, "node", True)
    assert "is being drained" in lost["reason"]
    assert (tmp_path / job / "drained").exists()
    assert executor.num_slots == hosts.num_others - 1
    hosts.kill("three")


def node_of(hosts: RayHosts, host: str) -> str:
    """Ray's name of a live host, asked for in a process of its own."""
    script = f"import json, ray; ray.init({hosts.address!r}, log_to_driver=False); print(json.dumps(ray.nodes()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    nodes: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return str(next(node["NodeID"] for node in nodes if node["Alive"] and node["NodeManagerHostname"] == host))
