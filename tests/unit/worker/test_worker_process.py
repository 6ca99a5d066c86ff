"""The worker: what becomes of jobs, where their logs go, and how its process ends."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ftsweep.executors.base import Message
from ftsweep.testing.executor import PATIENCE_SECONDS, SCRIPTED_ENGINE, scripted_job
from ftsweep.testing.scripted_engine import ScriptedEngine, TwoLaneEngine
from ftsweep.worker.process import Worker


def make_worker(engine: type[ScriptedEngine] = ScriptedEngine) -> tuple[Worker, list[Message]]:
    sent: list[Message] = []
    return Worker(engine(threads=None, allowed_packages=()), sent.append), sent


def run_dry(worker: Worker) -> None:
    while worker.advance():
        pass


# -- jobs -------------------------------------------------------------------------------------------------------------


def test_worker_says_that_it_is_spent_before_the_job_is_over() -> None:
    worker, sent = make_worker()
    worker.handle(scripted_job("trial-0001", ["spend"]))
    run_dry(worker)
    assert [message["type"] for message in sent] == ["spent", "ended"]
    assert worker.is_finished


def test_worker_is_spent_after_a_failure() -> None:
    worker, sent = make_worker()
    worker.handle(scripted_job("trial-0001", ["fail", "no such column"]))
    run_dry(worker)
    assert [message["type"] for message in sent] == ["spent", "failed"]
    assert worker.is_finished


def test_error_that_escapes_a_step_fails_every_job_in_it_once() -> None:
    worker, sent = make_worker(TwoLaneEngine)
    worker.handle(scripted_job("left", ["measure", 0.5]))
    worker.handle(scripted_job("right", ["fail", "no such column"]))
    run_dry(worker)
    failed = sorted(message["job"] for message in sent if message["type"] == "failed")
    assert failed == ["left", "right"]


def test_job_refused_at_the_door_leaves_the_other_lane_alone() -> None:
    worker, sent = make_worker(TwoLaneEngine)
    worker.handle(scripted_job("left", ["say", "hello"]))
    worker.handle(scripted_job("right", ["refuse"]))
    assert not worker.is_finished
    run_dry(worker)
    assert [(message["type"], message.get("job")) for message in sent] == [
        ("spent", None),
        ("failed", "right"),
        ("log", "left"),
        ("ended", "left"),
    ]


# -- turns ------------------------------------------------------------------------------------------------------------


def told(sent: list[Message]) -> list[list[tuple[str, str]]]:
    """Of each turn what was said of which job; nothing is said outside of one."""
    assert {message["type"] for message in sent} <= {"turn"}
    return [[(said["type"], said["job"]) for said in turn["messages"]] for turn in sent]


def test_worker_that_takes_turns_works_from_go_to_the_first_thing_that_it_says() -> None:
    sent: list[Message] = []
    worker = Worker(TwoLaneEngine(threads=None, allowed_packages=()), sent.append, takes_turns=True)
    worker.handle(scripted_job("left", ["touch", "/dev/null"], ["measure", 0.5], ["measure", 0.4]))
    worker.handle(scripted_job("right", ["touch", "/dev/null"], ["measure", 0.6]))
    assert not worker.advance(), "it did not wait for go"
    worker.handle({"type": "go"})
    run_dry(worker)
    assert told(sent) == [[("measured", "left"), ("measured", "right")]]
    for job in ("left", "right"):
        worker.handle({"type": "continue", "job": job})
    assert not worker.advance(), "it did not wait for all answers"
    worker.handle({"type": "go"})
    run_dry(worker)
    assert told(sent)[1:] == [[("measured", "left"), ("ended", "right")]]
    worker.handle({"type": "go"})
    worker.handle({"type": "continue", "job": "left"})
    worker.handle(scripted_job("new", ["measure", 0.7]))
    assert not worker.advance(), "a newcomer begins with the others, not between two of their turns"
    worker.handle({"type": "go"})
    run_dry(worker)
    assert told(sent)[2:] == [[("ended", "left"), ("measured", "new")]]


def test_a_failure_is_told_in_its_turn() -> None:
    sent: list[Message] = []
    worker = Worker(TwoLaneEngine(threads=None, allowed_packages=()), sent.append, takes_turns=True)
    worker.handle(scripted_job("left", ["unsendable"]))
    worker.handle({"type": "go"})
    run_dry(worker)
    assert [[said["type"] for said in turn["messages"]] for turn in sent] == [["spent", "failed"]]
    assert worker.is_finished


@pytest.mark.parametrize("kind", ["continue", "stop", "pause"])
def test_every_kind_of_answer_reaches_the_job_under_way_and_is_no_job_itself(kind: str) -> None:
    worker, sent = make_worker()
    worker.handle(scripted_job("trial-0001", ["measure", 0.5]))
    run_dry(worker)
    answer = {"type": kind, "job": "trial-0001", "kind": "pruned", "reason": "its peers did better"}
    worker.handle(answer)
    run_dry(worker)
    assert [message["type"] for message in sent] == ["measured", "ended"]
    assert not worker.is_finished


def test_job_that_comes_to_a_spent_worker_is_handed_back() -> None:
    worker, sent = make_worker(TwoLaneEngine)
    worker.handle(scripted_job("left", ["measure", 0.5]))
    worker.handle(scripted_job("right", ["refuse"]))
    worker.handle(scripted_job("late"))
    assert (sent[-1]["type"], sent[-1]["job"]) == ("lost", "late")


def test_quit_checkpoints_what_is_under_way(tmp_path: Path) -> None:
    worker, sent = make_worker()
    worker.handle(scripted_job("trial-0001", ["measure", 0.5], folder=tmp_path))
    run_dry(worker)
    worker.handle({"type": "quit"})
    assert (tmp_path / "drained").exists()
    assert worker.is_finished
    assert not worker.advance()
    assert [message["type"] for message in sent] == ["measured"]


def test_checkpoint_that_fails_at_the_end_is_logged_and_no_more(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, _ = make_worker()
    worker.handle(scripted_job("trial-0001", ["measure", 0.5]))

    def drain() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker.engine, "drain", drain)
    worker.handle({"type": "quit"})
    assert worker.is_finished
    assert "No space left" in caplog.text


# -- logs -------------------------------------------------------------------------------------------------------------


def test_each_job_has_its_own_records_in_its_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ftsweep")
    worker, _ = make_worker()
    for name in ("first", "second"):
        worker.handle(scripted_job(name, ["log", f"said by the {name}"], folder=tmp_path / name))
        run_dry(worker)
    logging.getLogger("ftsweep.scripted").info("said by nobody")
    for name, other in (("first", "second"), ("second", "first")):
        text = (tmp_path / name / "worker.log").read_text()
        assert f"said by the {name}" in text
        assert f"said by the {other}" not in text
        assert "said by nobody" not in text


def test_no_log_stays_open_after_its_job(tmp_path: Path) -> None:
    worker, _ = make_worker()
    before = (psutil.Process().num_fds(), [*logging.getLogger("ftsweep").handlers])
    for number in range(20):
        worker.handle(scripted_job(f"trial-{number}", ["log", "hello"], folder=tmp_path / str(number)))
        run_dry(worker)
    assert (psutil.Process().num_fds(), [*logging.getLogger("ftsweep").handlers]) == before


# -- the process ------------------------------------------------------------------------------------------------------


class WorkerUnderTest:
    """A worker process as an executor starts it, without the executor."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        descriptor = {
            "lanes": 1,
            "engine": SCRIPTED_ENGINE,
            "threads": 1,
            "allowed_packages": [],
            "heartbeat_seconds": 60,
            **changes,
        }
        self.log_file = folder / "stderr.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ftsweep.worker.process", "--descriptor", json.dumps(descriptor)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                bufsize=0,
            )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def send(self, message: Message) -> None:
        self.stdin.write(json.dumps(message).encode() + b"\n")

    def read_until(self, kind: str) -> Message:
        for line in self.stdout:
            message: Message = json.loads(line)
            if message["type"] == kind:
                return message
        raise AssertionError(f"no {kind!r} came: {self.log_file.read_text()}")

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.stdin.close()
        self.stdout.close()


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerUnderTest]]:
    workers: list[WorkerUnderTest] = []

    def start(**changes: Any) -> WorkerUnderTest:
        workers.append(WorkerUnderTest(tmp_path, **changes))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def read_pid(file: Path) -> int:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(file.read_text())


def await_death(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"{pid} still lives"
        time.sleep(0.01)


def test_end_of_file_ends_the_worker_and_its_children_at_once(start_worker: Any, tmp_path: Path) -> None:
    worker = start_worker()
    worker.read_until("ready")
    never = ["wait", str(tmp_path / "never")]
    worker.send(scripted_job("trial-0001", ["spawn", str(tmp_path / "child")], never, folder=tmp_path))
    child = read_pid(tmp_path / "child")
    worker.stdin.close()
    assert worker.exit_code() != 0
    await_death(child)
    assert not (tmp_path / "drained").exists()


def test_worker_that_starts_after_its_control_process_is_gone_ends(start_worker: Any) -> None:
    worker = start_worker()
    worker.stdin.close()
    assert worker.exit_code() != 0


def test_reader_that_went_away_ends_the_worker(start_worker: Any) -> None:
    worker = start_worker(heartbeat_seconds=0.05)
    worker.read_until("ready")
    worker.stdout.close()
    assert worker.exit_code() != 0


def test_quit_and_sigterm_let_the_worker_checkpoint(start_worker: Any, tmp_path: Path) -> None:
    for name in ("quit", "sigterm"):
        worker = start_worker()
        worker.read_until("ready")
        folder = tmp_path / name
        folder.mkdir()
        worker.send(scripted_job("trial-0001", ["measure", 0.5], folder=folder))
        worker.read_until("measured")
        if name == "quit":
            worker.send({"type": "quit"})
        else:
            worker.process.send_signal(signal.SIGTERM)
        assert worker.exit_code() == 0
        assert (folder / "drained").exists()


def test_interrupt_is_the_control_processes_to_handle(start_worker: Any) -> None:
    worker = start_worker()
    worker.read_until("ready")
    worker.process.send_signal(signal.SIGINT)
    worker.send(scripted_job("trial-0001"))
    assert worker.read_until("ended")["job"] == "trial-0001"


def test_heartbeats_come_while_a_step_takes_long(start_worker: Any, tmp_path: Path) -> None:
    worker = start_worker(heartbeat_seconds=0.02)
    pid = worker.read_until("ready")["process"]
    worker.send(scripted_job("trial-0001", ["say", "one"], ["wait", str(tmp_path / "go")]))
    worker.read_until("log")
    beats = [worker.read_until("heartbeat") for _ in range(3)]
    assert beats[-1]["process"] == pid
    assert beats[-1]["steps"] >= 1
    (tmp_path / "go").touch()
    worker.read_until("ended")


def test_warnings_and_records_of_a_job_are_in_its_log(start_worker: Any, tmp_path: Path) -> None:
    worker = start_worker()
    worker.read_until("ready")
    worker.send(scripted_job("trial-0001", ["warn", "this is deprecated"], ["log", "loading"], folder=tmp_path))
    worker.read_until("ended")
    worker.send({"type": "quit"})
    worker.exit_code()
    for text in ((tmp_path / "worker.log").read_text(), worker.log_file.read_text()):
        assert "this is deprecated" in text
        assert "loading" in text


def test_worker_itself_imports_neither_study_nor_training_libraries(start_worker: Any) -> None:
    worker = start_worker()
    worker.read_until("ready")
    worker.send(scripted_job("trial-0001", ["tell_modules"]))
    modules = set(json.loads(worker.read_until("log")["text"]))
    assert "ftsweep.executors.failure" in modules
    assert not modules & {"optuna", "mlflow", "plotly", "torch", "transformers", "hydra", "pytest"}
