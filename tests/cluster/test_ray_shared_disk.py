"""Two hosts of which one sees the disk of the study: nothing goes to it twice, and the other one gets everything."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_hosts import RayHosts
from small_study import ask, place_in, trials

from ftsweep.cluster import RayCluster
from ftsweep.executors.base import Message
from ftsweep.testing.executor import poll_until, poll_until_over, scripted_context, scripted_job

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(1800)]
SIZE = 20_000_000
HOW = ("sent", "in_place", "handed")


@pytest.fixture(scope="module")
def disk(hosts: RayHosts) -> Iterator[Path]:
    """A folder of the control host that host `sharing` mounts."""
    disk = Path(tempfile.mkdtemp(prefix="disk-", dir="/tmp"))
    (disk / "base").mkdir()
    (disk / "base" / "weights").write_bytes(b"b" * SIZE)
    hosts.add("sharing", seen=[disk])
    hosts.add("apart")
    hosts.wait("sharing", "apart")
    yield disk
    shutil.rmtree(disk)


@pytest.fixture
def executor(hosts: RayHosts, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RayCluster]:
    for name, value in hosts.environment.items():
        monkeypatch.setenv(name, value)
    executor = RayCluster(address=hosts.address, threads=1)
    (disk / "study").mkdir()
    (disk / "study" / "logs").mkdir()
    executor.open(scripted_context(disk / "study"))
    yield executor
    executor.close(kill=True)
    assert list((disk / "study").rglob("*.tmp")) == []
    shutil.rmtree(disk / "study")


def job(disk: Path, name: str, *script: list[object]) -> Message:
    """On the base, a file of which is read; writes a checkpoint of the same size and measures."""
    actions = [["tell_size", "weights"], ["write", "checkpoint/weights", SIZE], ["measure", 0.5], *script]
    made = scripted_job(name, *actions, folder=disk / "study" / name)
    return {**made, "spec": {**made["spec"], "config": {"model": {"path": str(disk / "base")}}}}


def test_a_host_that_shares_the_disk_is_sent_nothing_and_sends_little(executor: RayCluster, disk: Path) -> None:
    poll_until(executor, lambda _: executor.num_free == 2)
    for name in ("0000", "0001"):
        executor.submit(job(disk, name))
    messages = poll_until(executor, lambda heard: sum(each["type"] == "measured" for each in heard) == 2)
    assert [each["text"] for each in messages if each["type"] == "log" and each["text"].isdecimal()] == [str(SIZE)] * 2
    workers = {each["job"]: each["worker"] for each in messages if each["type"] == "measured"}
    assert sorted(worker.partition(" ")[0] for worker in workers.values()) == ["apart", "sharing"]
    for name in workers:
        assert (disk / "study" / name / "checkpoint" / "weights").read_bytes() == b"w" * SIZE
    carried = executor.carried
    assert SIZE <= carried["sent"] < SIZE + 10_000, "the base, to one host"
    assert SIZE <= carried["brought"] < SIZE + 10_000, "a checkpoint, of one host"
    assert (carried["in_place"], carried["handed"]) == (SIZE, SIZE)
    for name in workers:
        executor.reply(name, {"type": "continue", "job": name})
    assert [each["type"] for each in poll_until_over(executor, *workers) if each.get("job")][-2:] == ["ended", "ended"]

    # they go on from their checkpoints, which are taken up as the base was
    poll_until(executor, lambda _: executor.num_free == 2)
    before = executor.carried.copy()
    by_host = {worker.partition(" ")[0]: name for name, worker in workers.items()}
    for name in (by_host["apart"], by_host["sharing"]):
        executor.submit(scripted_job(name, ["measure", 0.4], folder=disk / "study" / name))
    messages = poll_until(executor, lambda heard: sum(each["type"] == "measured" for each in heard) == 2)
    assert executor.carried["sent"] - before["sent"] in range(SIZE, SIZE + 10_000)
    assert executor.carried["in_place"] - before["in_place"] in range(SIZE, SIZE + 10_000)
    assert executor.carried["handed"] == before["handed"]
    for name in workers:
        assert (disk / "study" / name / "checkpoint" / "weights").stat().st_size == SIZE


def test_study_on_the_model_of_a_study_at_an_address_comes_to_the_same_with_measured_lanes(
    hosts: RayHosts, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in hosts.environment.items():
        monkeypatch.setenv(name, value)
    place = disk / "place"
    place.mkdir()
    place_in(place)
    monkeypatch.setenv("FTSWEEP_STORES", str(place / "stores"))
    team = f"file://{place}/team"
    ask(place, "run", "small.yaml", "study.name=first", "budget.trials=1", f"store.path={team}", "executor.workers=1")
    words = ("run", "small.yaml", "model=study", "model.study=first", f"model.store={team}", "pruner=none")
    words = (*words, "executor.threads=1", "executor.lanes=auto", "budget.trials=8")
    ask(place, *words, "executor=ray", f"executor.address={hosts.address}")
    study = place / "mlruns" / "studies" / "small"
    lanes = json.loads((study / "lanes.json").read_text(encoding="utf-8"))
    assert lanes["lanes"] in (1, 2)
    assert "could not be measured" not in json.dumps(lanes)
    log = (study / "control.log").read_text(encoding="utf-8")
    sizes = [float(log.rpartition("carried: ")[2].partition(f" MB {how}")[0].split()[-1]) for how in HOW]
    assert min(sizes) > 0.1, sizes
    (place / "mlruns" / "studies" / "here").mkdir()
    shutil.copy(study / "lanes.json", place / "mlruns" / "studies" / "here")
    ask(place, *words, "study.name=here", "executor.workers=1")
    assert trials(ask(place, "status", "small")) == trials(ask(place, "status", "here"))
    made = [(place / "mlruns" / "studies" / name / "model" / "ftsweep.json").read_text() for name in ("small", "here")]
    assert made[0] == made[1]
