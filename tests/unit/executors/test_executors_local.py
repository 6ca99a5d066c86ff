"""The local executor: worker processes that die, freeze, print, multiply, and a study that goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from ftsweep.errors import ConfigError, StudyError
from ftsweep.executors import local
from ftsweep.executors.base import Message
from ftsweep.executors.devices import plan_places
from ftsweep.executors.launch import worker_environment
from ftsweep.executors.local import Local
from ftsweep.executors.sharing import Sharing
from ftsweep.testing.executor import (
    PATIENCE_SECONDS,
    poll_until,
    poll_until_free,
    poll_until_over,
    scripted_context,
    scripted_job,
)

TWO_LANES = "ftsweep.testing.scripted_engine:TwoLaneEngine"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    """Makes executors that are surely closed."""
    executors: list[Local] = []

    def open_local(*, workers: int = 1, lanes: Any = 1, heartbeat_seconds: float = 60, **context: Any) -> Local:
        executor = Local(workers=workers, threads=1, lanes=lanes, heartbeat_seconds=heartbeat_seconds)
        executors.append(executor)
        executor.open(scripted_context(tmp_path, **context))
        return executor

    yield open_local
    for executor in executors:
        executor.close(kill=True)


def child_pids() -> set[int]:
    return {process.pid for process in psutil.Process().children()}


def wait_until(is_so: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def is_dead(pid: int) -> bool:
    """Whether a process is gone; an orphan that nobody reaps (a container's first process may not) is gone too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def await_death(*pids: int) -> None:
    wait_until(lambda: all(map(is_dead, pids)), f"of {pids} one still lives")


def read_pid(file: Path) -> int:
    wait_until(file.exists, f"{file} was not written")
    return int(file.read_text())


def worker_pids(executor: Local) -> list[int]:
    return [worker.process.pid for worker in executor._workers.values() if worker.is_ready]


def kill_idle_worker(executor: Local) -> None:
    """Kill the only worker and wait for the next."""
    poll_until_free(executor)
    before = worker_pids(executor)
    os.kill(before[0], signal.SIGKILL)
    poll_until(executor, lambda _: worker_pids(executor) not in ([], before))


def logs_of(messages: list[Message]) -> list[str]:
    return [message["text"] for message in messages if message["type"] == "log"]


def test_executor_that_cannot_be_opened_leaves_nobody_behind(tmp_path: Path) -> None:
    executor, before = Local(workers=2, threads=1), child_pids()
    context = scripted_context(tmp_path)
    (context.log_folder / "worker-cpu-1.log").mkdir(parents=True)  # the second one's
    with pytest.raises(IsADirectoryError):
        executor.open(context)
    wait_until(lambda: child_pids() <= before, "a process was left")
    assert executor.num_slots == 0


# -- death ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (["signal", "SIGKILL"], "SIGKILL"),
        (["signal", "SIGSEGV"], "SIGSEGV"),
        (["exit", 3], "exit code 3"),
        (["exit", 0], "exit code 0"),
    ],
)
def test_dead_worker_is_replaced_and_its_job_reported_lost(opened: Any, action: list[Any], reason: str) -> None:
    executor = opened()
    poll_until_free(executor)
    executor.submit(scripted_job("trial-0001", ["say", "before", 100], action))
    messages = poll_until_over(executor, "trial-0001")
    assert logs_of(messages) == [f"before {number}" for number in range(100)]  # what it said before is not lost
    lost = messages[-1]
    assert lost["type"] == "lost"
    assert reason in lost["reason"]
    assert lost["worker"] == "cpu 0"
    assert ("my last words" in lost["log_tail"]) == (action[0] == "exit")
    poll_until_free(executor)
    executor.submit(scripted_job("trial-0001"))
    assert poll_until_over(executor, "trial-0001")[-1]["type"] == "ended"


def test_log_tail_of_a_lost_job_holds_nothing_of_earlier_jobs(opened: Any) -> None:
    executor = opened()
    poll_until_free(executor)
    executor.submit(scripted_job("trial-0001", ["print", "noise of the first"]))
    poll_until_over(executor, "trial-0001")
    executor.submit(scripted_job("trial-0002", ["print", "noise of the second"], ["signal", "SIGKILL"]))
    tail = poll_until_over(executor, "trial-0002")[-1]["log_tail"]
    assert "noise of the second" in tail
    assert "noise of the first" not in tail


@pytest.mark.parametrize("action", [["signal", "SIGSTOP"], ["hold"]])
def test_silent_worker_is_killed_and_replaced(opened: Any, action: list[Any]) -> None:
    executor = opened(heartbeat_seconds=1)
    poll_until_free(executor)
    pids = worker_pids(executor)
    executor.submit(scripted_job("trial-0001", action))
    lost = poll_until_over(executor, "trial-0001")[-1]
    assert lost["type"] == "lost"
    assert "silent for 1 s" in lost["reason"]
    await_death(*pids)
    poll_until_free(executor)


def test_job_that_takes_longer_than_a_heartbeat_is_left_alone(opened: Any, tmp_path: Path) -> None:
    executor = opened(heartbeat_seconds=2)
    poll_until_free(executor)
    executor.submit(scripted_job("trial-0001", ["wait", str(tmp_path / "go")]))
    started = time.monotonic()
    messages = poll_until(executor, lambda _: time.monotonic() - started > 3)
    assert messages == []
    (tmp_path / "go").touch()
    assert poll_until_over(executor, "trial-0001")[-1]["type"] == "ended"


def test_time_in_which_nobody_listened_is_not_a_workers_silence(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = opened(heartbeat_seconds=5)
    poll_until_free(executor)
    executor.submit(scripted_job("trial-0001", ["wait", str(tmp_path / "go")]))
    executor.poll(0)
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 1000)  # the control process was busy elsewhere
    monkeypatch.setattr(local, "time", later)
    assert executor.poll(0) == []
    (tmp_path / "go").touch()
    assert poll_until_over(executor, "trial-0001")[-1]["type"] == "ended"


def test_worker_that_cannot_start_ends_the_study_with_its_last_words(opened: Any, tmp_path: Path) -> None:
    executor = opened(workers=2, engine="ftsweep.testing.scripted_engine:BrokenEngine")
    with pytest.raises(StudyError, match=r"libsomething\.so\.1") as caught:
        poll_until_free(executor)
    assert str(tmp_path / "logs") in str(caught.value)


def test_engine_of_a_package_that_is_not_allowed_is_refused(opened: Any) -> None:
    with pytest.raises(StudyError, match="not of ftsweep, nor of a package"):
        poll_until_free(opened(engine="os:system"))


def test_worker_that_dies_idle_again_and_again_ends_the_study(opened: Any) -> None:
    executor = opened()
    kill_idle_worker(executor)
    kill_idle_worker(executor)
    with pytest.raises(StudyError, match="3 times in a row"):
        kill_idle_worker(executor)


def test_two_idle_deaths_are_forgiven_by_a_job_that_ends(opened: Any) -> None:
    executor = opened()
    for number in range(4):
        kill_idle_worker(executor)
        executor.submit(scripted_job(f"trial-{number}"))
        poll_until_over(executor, f"trial-{number}")


def test_one_bad_device_does_not_end_the_study(opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_devices(tmp_path, monkeypatch, 2)
    (tmp_path / "picky_engine.py").write_text(
        "import os\n"
        "from ftsweep.testing.scripted_engine import ScriptedEngine\n"
        "class Engine(ScriptedEngine):\n"
        "    def __init__(self, **arguments):\n"
        "        assert os.environ['CUDA_VISIBLE_DEVICES'] == '0', 'this device has fallen off the bus'\n"
        "        super().__init__(**arguments)\n"
    )
    executor = opened(
        workers=2, engine="picky_engine:Engine", python_path=[tmp_path], allowed_packages=["picky_engine"]
    )
    messages = poll_until(executor, lambda messages: any(message["type"] == "log" for message in messages))
    (log,) = (message for message in messages if message["type"] == "log")
    assert log["level"] == "error"
    assert "gpu 1" in log["text"]
    poll_until_free(executor)
    assert executor.num_slots == 1
    executor.submit(scripted_job("trial-0001"))
    assert poll_until_over(executor, "trial-0001")[-1]["worker"] == "gpu 0"


# -- children and leaks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("how", ["spawn", "fork"])
def test_close_leaves_no_process(opened: Any, tmp_path: Path, kill: bool, how: str) -> None:
    others = child_pids()  # of other tests
    executor = opened(workers=2)
    poll_until(executor, lambda _: executor.num_free == 2)
    children = []
    for number in range(2):
        file = tmp_path / f"child-{number}"
        executor.submit(scripted_job(f"trial-{number}", [how, str(file)], ["wait", str(tmp_path / "never")]))
        children.append(read_pid(file))
    family = child_pids() - others
    assert set(worker_pids(executor)) < family  # and the watchdog
    executor.close(kill=kill)
    await_death(*children, *family)
    assert not family & child_pids(), "a zombie was left"


@pytest.mark.parametrize("how", ["spawn", "fork"])
def test_dead_workers_children_die_with_it(opened: Any, tmp_path: Path, how: str) -> None:
    executor = opened()
    poll_until_free(executor)
    executor.submit(scripted_job("trial-0001", [how, str(tmp_path / "child")], ["signal", "SIGKILL"]))
    child = read_pid(tmp_path / "child")
    assert poll_until_over(executor, "trial-0001")[-1]["type"] == "lost"  # though a fork holds the pipe open
    await_death(child)


def test_close_ends_even_a_worker_that_does_not_listen(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_DRAIN_SECONDS", 0.2)
    executor = opened()
    poll_until_free(executor)
    pids = worker_pids(executor)
    executor.submit(scripted_job("trial-0001", ["spawn", str(tmp_path / "child")], ["hold"]))
    child = read_pid(tmp_path / "child")
    executor.close()
    await_death(*pids, child)


def test_close_does_not_wait_for_a_job_that_has_nothing_to_checkpoint(opened: Any, tmp_path: Path) -> None:
    executor = opened()
    poll_until_free(executor)
    executor.submit(scripted_job("prepare-main", ["spawn", str(tmp_path / "child")], ["hold"], kind="prepare"))
    child = read_pid(tmp_path / "child")
    started = time.monotonic()
    executor.close()
    assert time.monotonic() - started < local._DRAIN_SECONDS / 2
    await_death(child)


def test_nothing_survives_a_control_process_that_is_killed(tmp_path: Path) -> None:
    script = f"""
import os, sys
from pathlib import Path
from ftsweep.executors.local import Local
from ftsweep.executors.sharing import Sharing
from ftsweep.testing.executor import poll_until, scripted_context, scripted_job
executor = Local(workers=2, threads=1)
executor.open(scripted_context(Path({str(tmp_path)!r})))
poll_until(executor, lambda _: executor.num_free == 2)
executor.submit(scripted_job("holds", ["spawn", {str(tmp_path / "child-0")!r}], ["hold"]))
executor.submit(scripted_job("works", ["fork", {str(tmp_path / "child-1")!r}], ["wait", "/never"]))
poll_until(executor, lambda _: False)
"""
    control = subprocess.Popen([sys.executable, "-c", script])
    try:
        children = [read_pid(tmp_path / f"child-{number}") for number in range(2)]
        family = [process.pid for process in psutil.Process(control.pid).children(recursive=True)]
        assert len(family) == 5  # two workers, a child of each, the watchdog
    finally:
        control.kill()
        control.wait()
    await_death(*children, *family)


def test_replacing_workers_leaks_no_descriptor_and_no_zombie(opened: Any) -> None:
    others = child_pids()
    executor = opened()
    poll_until_free(executor)
    num_descriptors = psutil.Process().num_fds()
    for number in range(12):
        poll_until_free(executor)
        action = ["signal", "SIGKILL"] if number % 2 else ["fail", "on purpose"]
        executor.submit(scripted_job(f"trial-{number}", action))
        poll_until_over(executor, f"trial-{number}")
    poll_until_free(executor)
    assert psutil.Process().num_fds() == num_descriptors
    assert len(child_pids() - others) == 2  # the worker and the watchdog
    executor.close()
    assert psutil.Process().num_fds() < num_descriptors


def test_interrupt_from_the_keyboard_does_not_reach_workers(opened: Any) -> None:
    executor = opened()
    poll_until_free(executor)
    (pid,) = worker_pids(executor)
    assert os.getpgid(pid) == pid != os.getpgid(0)
    os.kill(pid, signal.SIGINT)
    executor.submit(scripted_job("trial-0001"))
    assert poll_until_over(executor, "trial-0001")[-1]["type"] == "ended"


# -- messages ---------------------------------------------------------------------------------------------------------


def test_prints_and_reads_of_user_code_do_not_touch_the_messages(opened: Any, tmp_path: Path) -> None:
    executor = opened()
    poll_until_free(executor)
    line = '{"type": "ended", "job": "trial-0001"}'
    executor.submit(scripted_job("trial-0001", ["read"], ["print", line], ["say", "still here"]))
    messages = poll_until_over(executor, "trial-0001")
    assert [message["type"] for message in messages] == ["log", "ended"]
    assert (tmp_path / "logs" / "worker-cpu-0.log").read_text().count(line) == 3


def test_answers_reach_the_worker_that_waits_for_them(opened: Any) -> None:
    executor = opened(workers=2)
    poll_until(executor, lambda _: executor.num_free == 2)
    for name in ("left", "right"):
        executor.submit(scripted_job(name, ["measure", 0.5]))
    measured = poll_until(executor, lambda messages: len(messages) == 2)
    assert {message["worker"] for message in measured} == {"cpu 0", "cpu 1"}
    for name in ("right", "left"):
        executor.reply(name, {"type": "stop", "kind": "pruned", "reason": name})
    for message in poll_until_over(executor, "left", "right"):
        assert [answer["reason"] for answer in message["result"]["answers"]] == [message["job"]]


def test_free_worker_gets_the_next_job_while_others_work(opened: Any, tmp_path: Path) -> None:
    executor = opened(workers=2)
    poll_until(executor, lambda _: executor.num_free == 2)
    executor.submit(scripted_job("long", ["wait", str(tmp_path / "go")]))
    for number in range(5):
        executor.submit(scripted_job(f"short-{number}"))
        assert {message["job"] for message in poll_until_over(executor, f"short-{number}")} == {f"short-{number}"}
    (tmp_path / "go").touch()
    poll_until_over(executor, "long")


def test_message_of_megabytes_passes_both_ways(opened: Any) -> None:
    executor = opened()
    poll_until_free(executor)
    executor.submit({**scripted_job("trial-0001", ["measure", 0.5]), "rows": ["x" * 3_000_000]})
    poll_until(executor, lambda messages: bool(messages))
    executor.reply("trial-0001", {"type": "stop", "kind": "pruned", "reason": "y" * 3_000_000})
    ended = poll_until_over(executor, "trial-0001")[-1]
    assert ended["result"]["answers"][0]["reason"] == "y" * 3_000_000


def test_worker_that_does_not_read_does_not_hold_up_the_control_process(opened: Any) -> None:
    executor = opened()
    poll_until_free(executor)
    (pid,) = worker_pids(executor)
    os.kill(pid, signal.SIGSTOP)
    executor.submit({**scripted_job("trial-0001"), "rows": ["x" * 3_000_000]})
    assert executor.poll(0.05) == []
    os.kill(pid, signal.SIGCONT)
    assert poll_until_over(executor, "trial-0001")[-1]["type"] == "ended"


def test_lanes_of_one_worker_run_at_the_same_time_and_are_lost_together(opened: Any, tmp_path: Path) -> None:
    executor = opened(engine=TWO_LANES)
    poll_until_free(executor)
    assert (executor.num_slots, executor.num_free) == (2, 2)
    executor.submit(scripted_job("left", ["wait", str(tmp_path / "left")], ["touch", str(tmp_path / "right")]))
    executor.submit(scripted_job("right", ["touch", str(tmp_path / "left")], ["wait", str(tmp_path / "right")]))
    assert {message["type"] for message in poll_until_over(executor, "left", "right")} == {"ended"}
    executor.submit(scripted_job("left", ["measure", 0.5]))
    executor.submit(scripted_job("right", ["say", "I die"], ["signal", "SIGKILL"]))
    messages = poll_until_over(executor, "left", "right")
    assert {message["job"] for message in messages if message["type"] == "lost"} == {"left", "right"}
    assert executor.num_slots == 2  # the new worker is taken to have as many
    poll_until_free(executor)


def curve(*values: float) -> list[list[Any]]:
    return [["measure", value] for value in values]


def heard(executor: Local, jobs: list[Message]) -> list[list[tuple[str, str]]]:
    """What each call of `poll` returns of these jobs, the next one submitted whenever a lane is free."""
    found = []
    waiting = list(jobs)
    while waiting or executor.num_free < executor.num_slots:
        while waiting and executor.num_free:
            executor.submit(waiting.pop(0))
        messages = [message for message in executor.poll(PATIENCE_SECONDS) if message.get("job")]
        found.append([(message["type"], message["job"]) for message in messages])
        for message in messages:
            if message["type"] == "measured":
                executor.reply(message["job"], {"type": "continue", "job": message["job"]})
    return found


@pytest.mark.parametrize("lanes", [3, "auto"])
def test_lanes_are_heard_in_an_order_that_time_does_not_change(opened: Any, lanes: Any) -> None:
    executor = opened(lanes=lanes)
    poll_until_free(executor)
    if lanes == "auto":
        assert (executor.num_lanes, executor.num_slots) == (1, 1)
        executor.use_lanes(3)
    assert (executor.num_lanes, executor.num_slots, executor.num_free) == (3, 3, 3)
    jobs = [
        scripted_job("one", *curve(0.5, 0.4)),
        scripted_job("two", *curve(0.5)),
        scripted_job("three", ["touch", "/dev/null"], *curve(0.5)),
        scripted_job("four", *curve(0.5)),
    ]
    assert heard(executor, jobs) == [
        [("measured", "one"), ("measured", "two")],
        [("measured", "one"), ("ended", "two"), ("measured", "three")],
        [("ended", "one"), ("ended", "three"), ("measured", "four")],
        [("ended", "four")],
    ]


@pytest.mark.parametrize("lanes", [0, 65, 1.5, True, "many"])
def test_what_is_no_number_of_lanes_is_refused(lanes: Any) -> None:
    with pytest.raises(ConfigError, match="not a number of lanes"):
        Local(lanes=lanes)


def test_spent_worker_finishes_its_other_lane_before_it_goes(opened: Any, tmp_path: Path) -> None:
    executor = opened(engine=TWO_LANES)
    poll_until_free(executor)
    (pid,) = worker_pids(executor)
    executor.submit(scripted_job("left", ["wait", str(tmp_path / "go")]))
    executor.submit(scripted_job("right", ["spend"]))
    poll_until_over(executor, "right")
    assert executor.num_free == 0
    (tmp_path / "go").touch()
    assert [message["type"] for message in poll_until_over(executor, "left")] == ["ended"]
    poll_until_free(executor)
    assert worker_pids(executor) != [pid]


# -- places and environment -------------------------------------------------------------------------------------------


def pretend_devices(folder: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Put an `nvidia-smi` that knows this many devices in front of the search path."""
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + "".join(f"echo {index}\n" for index in range(count)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_each_worker_sees_its_own_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_devices(tmp_path, monkeypatch, 2)
    executor = Local(threads=3)
    executor.open(scripted_context(tmp_path))
    try:
        poll_until(executor, lambda _: executor.num_free == 2)
        names = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "OMP_NUM_THREADS")
        for job in ("left", "right"):
            executor.submit(scripted_job(job, ["tell_environment", *names], ["measure", 0.5]))
        messages = poll_until(executor, lambda messages: sum(m["type"] == "measured" for m in messages) == 2)
        seen = {message["worker"]: json.loads(message["text"]) for message in messages if message["type"] == "log"}
        for index in ("0", "1"):
            assert seen[f"gpu {index}"] == dict(zip(names, [index, "PCI_BUS_ID", "3"], strict=True))
        executor.reply("left", {"type": "continue"})
        assert poll_until_over(executor, "left")[-1]["result"]["threads"] == 3
    finally:
        executor.close(kill=True)


@pytest.mark.parametrize("wish", [None, "ACTIVE"])
@pytest.mark.parametrize(("name", "usual"), [("OMP_WAIT_POLICY", "PASSIVE"), ("MALLOC_TRIM_THRESHOLD_", "268435456")])
def test_threads_of_a_worker_sleep_and_its_memory_stays_unless_the_user_wishes_otherwise(
    name: str, usual: str, wish: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name, raising=False)  # tests set one for themselves
    if wish:
        monkeypatch.setenv(name, wish)
    (place,) = plan_places(1, None, {"CUDA_VISIBLE_DEVICES": ""})
    assert worker_environment(place, scripted_context(tmp_path))[name] == (wish or usual)


def test_more_workers_than_devices_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_devices(tmp_path, monkeypatch, 2)
    with pytest.raises(ConfigError, match=r"executor\.workers: 3 workers .* 2 CUDA device"):
        Local(workers=3).open(scripted_context(tmp_path))


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"threads": -1}, {"heartbeat_seconds": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"executor\."):
        Local(**wrong)


def test_module_beside_the_working_folder_hides_no_package(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("raise ImportError('the wrong queue')")
    monkeypatch.chdir(tmp_path)
    poll_until_free(opened())


def test_settled_threads_are_those_of_new_workers(opened: Any) -> None:
    executor = opened()
    poll_until_free(executor)
    (before,) = child_pids_of_workers(executor)
    executor.settle(Sharing(1, 1))  # as it is
    assert child_pids_of_workers(executor) == [before]
    executor.settle(Sharing(2, 3))
    await_death(before)
    poll_until_free(executor)
    assert [worker.place.threads for worker in executor._workers.values()] == [3, 3]
    assert before not in child_pids_of_workers(executor)


def child_pids_of_workers(executor: Local) -> list[int]:
    return [worker.process.pid for worker in executor._workers.values()]
