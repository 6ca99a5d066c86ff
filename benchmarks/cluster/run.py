"""What a Ray cluster costs: the control side with 64 slots, checkpoints over loopback, an idle node, a lost host.

`make bench-cluster`, or `python benchmarks/cluster/run.py [--only PART ...] [--write FILE]`. Starts Ray itself: hosts
are processes in mount, pid and UTS namespaces of their own, which see neither the store nor each other's temporary
files (as root; `pip install 'ftsweep[ray]'`). Prints Markdown as it goes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[2] / "tests" / "cluster"))

from commands import run
from machine import Watch, hardware
from measured import Result, result
from node_memory import megabytes, processes_of, pss_megabytes
from ray_hosts import RayHosts

from ftsweep.cluster import RayCluster
from ftsweep.executors.base import ExecutorContext, Message

TRIALS, SLOTS, TRIAL_SECONDS = 192, 64, 60.0
PARTS = ("transfer", "memory", "loss", "overhead", "shared")
_HERE = Path(__file__).parent


class Patient(RayCluster):
    """Keeps messages that nobody has asked for yet, with the time of each."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.waiting: deque[tuple[Message, float]] = deque()


_ONE = ("one", "--num-cpus", "1", "--include-log-monitor=true")


@contextmanager
def opened(hosts: RayHosts, place: Path, scratch: Path, count: int) -> Iterator[Patient]:
    """An executor with so many slots, each with a worker that is ready."""
    executor = Patient(address=hosts.address, threads=1, scratch=str(scratch))
    engine = {"engine": "checkpoint_engine:Engine", "allowed_packages": ["checkpoint_engine"]}
    executor.open(ExecutorContext(log_folder=place / "logs", python_path=[_HERE / "engines"], **engine))  # type: ignore[arg-type]
    try:
        while executor.num_free < count:
            executor.poll(0.2)
        yield executor
    finally:
        executor.close(kill=True)


def heard(executor: Patient, kind: str) -> tuple[Message, float]:
    """The next message of this kind, and when it was there."""
    while True:
        if not executor.waiting:
            executor.waiting += [(message, time.monotonic()) for message in executor.poll(1.0)]
            continue
        message, at = executor.waiting.popleft()
        if message["type"] == kind:
            return message, at
        assert message["type"] not in ("failed", "lost"), message


def train(executor: Patient, folder: Path, rungs: int, num_bytes: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the worker's word to the control side's, with the checkpoint on its disk; and of answers."""
    job = {"type": "train", "job": folder.name, "folder": str(folder), "spec": {"rungs": rungs, "num_bytes": num_bytes}}
    executor.submit(job)
    brought, answers, replied_at = [], [], 0.0
    for _ in range(rungs):
        message, at = heard(executor, "measured")
        times = message["measurement"]
        brought.append(1000 * (at - times["said_at"]))
        if replied_at:
            answers.append(1000 * (times["answered_at"] - replied_at))
        if num_bytes:
            assert (folder / "checkpoint" / "weights.safetensors").stat().st_size == num_bytes
        replied_at = time.monotonic()
        executor.reply(folder.name, {"type": "continue", "job": folder.name})
    heard(executor, "ended")
    return brought, answers


def transfer(hosts: RayHosts, place: Path, scratch: Path) -> Iterator[Result]:
    with opened(hosts, place, scratch, 1) as executor:
        train(executor, place / "first", 3, 5_000_000)  # buffers grow
        brought, answers = train(executor, place / "none", 20, 0)
        yield result("a measurement without files, worker to control", brought, "ms")
        yield result("an answer, control to worker", answers, "ms")
        brought, _ = train(executor, place / "small", 20, 5_000_000)
        yield result("a checkpoint of 5 MB, node's disk to control's", brought, "ms", below=150)
        brought, _ = train(executor, place / "large", 7, 100_000_000)
        yield result("a checkpoint of 100 MB, node's disk to control's", brought, "ms", below=2000)


def shared(hosts: RayHosts, place: Path, scratch: Path) -> Iterator[Result]:
    """As `transfer`, where the only node sees the disk of the store. `place` is hidden from all nodes."""
    hosts.kill("one")
    with tempfile.TemporaryDirectory(prefix="fs-", dir=place.parents[1]) as name:
        disk = Path(name)
        hosts.add("sharing", "--num-cpus", "1", seen=[disk])
        hosts.wait("sharing")
        with opened(hosts, disk, scratch, 1) as executor:
            train(executor, disk / "first", 3, 5_000_000)
            for size, rungs, below in ((5, 20, 150), (100, 7, 2000)):
                before = executor.carried.copy()
                brought, _ = train(executor, disk / f"{size}", rungs, size * 1_000_000)
                yield result(f"a checkpoint of {size} MB, on a disk that the node shares", brought, "ms", below=below)
                crossed = (executor.carried["brought"] - before["brought"]) / 1e6
                yield result(f"of {rungs} such checkpoints there crossed the network", crossed, "MB", below=1)
        hosts.kill("sharing")


def memory(hosts: RayHosts, place: Path, scratch: Path) -> Iterator[Result]:
    """Each page counted once. After `transfer`, which leaves Ray with memory for parts of files."""
    with opened(hosts, place, scratch, 1):
        time.sleep(5)
        processes = processes_of(hosts.pid("one"))
        slot = [pid for pid, line in processes.items() if line.startswith("ray::Slot") or "watchdog.py" in line]
        worker = [pid for pid, line in processes.items() if "ftsweep.worker.process" in line]
        starter = [pid for pid, line in processes.items() if " start --block " in line]
        monitor = [pid for pid, line in processes.items() if "log_monitor" in line]
        ray = [pid for pid in processes if pid not in (*slot, *worker, *starter, *monitor)]
        assert len(slot) == 2, processes
        assert len(worker) == 1, processes
        alone, both = megabytes(ray), megabytes([*ray, *slot])
        yield result("an idle node: Ray's processes", alone, "MB")
        yield result("an idle node: what a slot adds to them", both - alone, "MB")
        yield result("an idle node in all", both, "MB", below=500)
        yield result("the same as PSS, divided among the hosts of this machine", pss_megabytes([*ray, *slot]), "MB")
        yield result("Ray's log monitor adds, unless it is left out", megabytes([*ray, *slot, *monitor]) - both, "MB")
        yield result("`ray start --block` adds, which stays in front", megabytes([*ray, *slot, *starter]) - both, "MB")


def loss(hosts: RayHosts, place: Path, scratch: Path) -> Iterator[Result]:
    """From the signal to the message `lost`."""
    found: dict[str, list[float]] = {"killed": [], "frozen": []}
    for number in range(6):
        name, kind = f"brief{number}", ("killed", "frozen")[number % 2]
        hosts.add(name)
        hosts.wait(name)
        with opened(hosts, place, scratch, 2) as executor:
            for index in range(2):
                folder = place / f"lost{number}-{index}"
                spec = {"rungs": 2, "num_bytes": 1_000_000}
                executor.submit({"type": "train", "job": folder.name, "folder": str(folder), "spec": spec})
            workers = {heard(executor, "measured")[0]["worker"] for _ in range(2)}
            assert {worker.partition(" ")[0] for worker in workers} == {"one", name}
            processes = processes_of(hosts.pid(name))
            began = time.monotonic()
            if kind == "killed":
                hosts.kill(name)
            else:
                for pid in processes:
                    os.kill(pid, signal.SIGSTOP)
            lost, at = heard(executor, "lost")
            assert lost["worker"].startswith(name)
            found[kind].append(at - began)
        if kind == "frozen":
            hosts.kill(name)
    yield result("a host whose processes were killed, until its trial is lost", found["killed"], "s", below=20)
    yield result("a host that fell silent, until its trial is lost", found["frozen"], "s", below=20)


def overhead(hosts: RayHosts, place: Path, scratch: Path) -> Iterator[Result]:
    """CPU of what runs on the control host, of the wall of a study whose trials take a minute each.

    That is 0.94 s a trial on 64 slots (as in control_scale.py); on a busy machine it took longer, which would flatter.
    """
    facts_file = place / "facts.json"
    words = [str(facts_file), str(place / "store"), str(TRIALS), hosts.address]
    run([sys.executable, str(_HERE / "wide_study.py"), *words], place, **hosts.environment)
    facts: dict[str, Any] = json.loads(facts_file.read_text(encoding="utf-8"))
    assert (facts["trials"], facts["kinds"]) == (TRIALS, ["complete"])
    wall, control, bridge = (facts[f"{name}_seconds"] for name in ("wall", "control", "bridge"))
    due = TRIALS * TRIAL_SECONDS / SLOTS
    yield result("64 slots: CPU of the control process a trial", 1000 * control / TRIALS, "ms")
    yield result("64 slots: CPU of the control process, of the wall due", 100 * control / due, "%", below=5)
    yield result("64 slots: CPU of the bridge process a trial", 1000 * bridge / TRIALS, "ms")
    yield result("64 slots: CPU of the bridge process, of the wall due", 100 * bridge / due, "%")
    yield result("64 slots: memory of the bridge process", facts["bridge_mb"], "MB")
    yield result("64 slots: the wall that is due", due, "s")
    yield result("64 slots: the wall that it took", wall, "s")
    yield result("64 slots: rungs, each with a checkpoint of a MiB", facts["rungs"], "")


def measured(only: set[str]) -> Iterator[Result]:
    with (
        tempfile.TemporaryDirectory(prefix="fb-", dir="/tmp") as name,
        tempfile.TemporaryDirectory(dir="/var/tmp") as far,
    ):
        place, scratch = Path(name), Path(far)
        hosts = RayHosts(hidden=place)
        os.environ.update(hosts.environment)
        try:
            hosts.add(*_ONE)
            hosts.wait("one")
            for part in PARTS:
                if not only or part in only:
                    folder = place / part
                    folder.mkdir()
                    yield from globals()[part](hosts, folder, scratch)
        finally:
            hosts.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", default=[], choices=PARTS)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    watch, lines, verdicts = Watch(), [], []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    say(f"# What a Ray cluster costs, {time.strftime('%Y-%m-%d')}\n")
    say(", ".join(f"{name}: {value}" for name, value in hardware().items()) + "\n")
    say("| | median | range | promised | |\n|---|---|---|---|---|")
    for each in measured(set(options.only)):
        kept = {None: "", True: "kept", False: "MISSED"}[each.ok]
        verdicts.append(each.ok)
        say(f"| {each.name} | {each.value:.4g} {each.unit} | {each.spread} | {each.target} | {kept} |")
    say(f"\nMeanwhile: {watch.read()}.")
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(1 if False in verdicts else 0)


if __name__ == "__main__":
    main()
