"""A worker that the kernel ends for want of memory is told from one that somebody killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ftsweep.executors import memory_kills
from ftsweep.executors.local import KILLED_FOR_MEMORY, Local
from ftsweep.executors.memory_kills import MemoryKills
from ftsweep.testing.executor import poll_until_free, poll_until_over, scripted_context, scripted_job

GROUPS = Path("/sys/fs/cgroup")
MOST_BYTES = 128 << 20


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group whose processes have little memory."""
    is_old = (GROUPS / "memory").is_dir()
    group = (GROUPS / "memory" if is_old else GROUPS) / f"ftsweep-{uuid4().hex[:8]}"
    limits = ["memory.limit_in_bytes"] if is_old else ["memory.max", "memory.swap.max"]
    try:
        group.mkdir()
        (group / limits[0]).write_text(str(MOST_BYTES))
    except OSError as error:
        pytest.skip(f"no control group of memory can be made here: {error}")
    for limit in limits[1:]:
        (group / limit).write_text("0")
    yield group
    group.rmdir()


def test_worker_that_the_kernel_ends_for_want_of_memory_is_told_so(tmp_path: Path, small_group: Path) -> None:
    executor = Local(workers=1, threads=1)
    executor.open(scripted_context(tmp_path))
    try:
        worker = next(message for message in poll_until_free(executor) if message["type"] == "ready")
        (small_group / "cgroup.procs").write_text(str(worker["process"]))
        executor.submit(scripted_job("trial-0001", ["exhaust"]))
        lost = poll_until_over(executor, "trial-0001")[-1]
        assert (lost["type"], lost["kind"]) == ("lost", "memory")
        assert KILLED_FOR_MEMORY in lost["reason"]
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0002", ["signal", "SIGKILL"]))
        lost = poll_until_over(executor, "trial-0002")[-1]
        assert lost["kind"] == "process", "the kernel's kill was told twice"
    finally:
        executor.close(kill=True)


def test_each_kill_of_the_kernel_explains_one_death_and_only_a_fresh_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = tmp_path / "vmstat"
    counters.write_text("pgfault 12\noom_kill 3\n")
    monkeypatch.setattr(memory_kills, "_COUNTERS", counters)
    kills = MemoryKills()
    assert not kills.explain(), "those before count for nothing"
    counters.write_text("oom_kill 5\n")
    assert [kills.explain() for _ in range(3)] == [True, True, False]
    counters.write_text("oom_kill 6\n")
    kills.look()
    monkeypatch.setattr(memory_kills, "_FRESH_SECONDS", 0.0)
    assert not kills.explain(), "that one was long ago"
    counters.unlink()
    assert not kills.explain()
