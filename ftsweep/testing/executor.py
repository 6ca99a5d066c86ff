"""What every executor must keep, as tests: subclass `ExecutorContract`, say how to make one, and run pytest.

```python
class TestMyExecutor(ExecutorContract):
    def make_executor(self) -> Executor:
        return MyExecutor()
```
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ftsweep.executors.base import Executor, ExecutorContext, Message
from ftsweep.worker.process import build_worker

SCRIPTED_ENGINE = "ftsweep.testing.scripted_engine:ScriptedEngine"
PATIENCE_SECONDS = 30.0


def scripted_context(folder: Path, *, engine: str = SCRIPTED_ENGINE, **changes: Any) -> ExecutorContext:
    """A context whose workers run scripts (`ftsweep.testing.scripted_engine`) in place of fine-tunes."""
    make_inline_worker = partial(build_worker, engine=engine)
    return ExecutorContext(log_folder=folder / "logs", engine=engine, make_inline_worker=make_inline_worker, **changes)


def scripted_job(name: str, *script: list[Any], kind: str = "train", folder: Path | None = None) -> Message:
    """A job that does the actions of the script and ends."""
    job: Message = {"type": kind, "job": name, "spec": {"script": list(script)}}
    return job if folder is None else {**job, "folder": str(folder)}


def poll_until(executor: Executor, is_enough: Callable[[list[Message]], bool]) -> list[Message]:
    """All messages until the condition on them holds; fails when it does not come to hold."""
    messages: list[Message] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_enough(messages):
        assert time.monotonic() < deadline, f"this is all that came in {PATIENCE_SECONDS:g} s: {messages[-20:]}"
        messages += executor.poll(0.2)
    return messages


def poll_until_over(executor: Executor, *jobs: str) -> list[Message]:
    """All messages until each of these jobs has ended, failed or was lost; those that say so come last."""

    def is_end(message: Message) -> bool:
        return message["type"] in {"ended", "failed", "lost"} and message.get("job") in jobs

    messages = poll_until(executor, lambda heard: set(jobs) <= {each["job"] for each in heard if is_end(each)})
    return sorted(messages, key=is_end)  # another worker may have spoken behind them


def poll_until_free(executor: Executor) -> list[Message]:
    """All messages until a job can be submitted."""
    return poll_until(executor, lambda _: executor.num_free > 0)


class ExecutorContract:
    """The promises of `ftsweep.executors.Executor`."""

    def make_executor(self) -> Executor:
        """A new executor, not yet opened, that can run at least one job at a time."""
        raise NotImplementedError

    @pytest.fixture
    def executor(self, tmp_path: Path) -> Iterator[Executor]:
        executor = self.make_executor()
        executor.open(scripted_context(tmp_path))
        yield executor
        executor.close(kill=True)

    def test_nothing_is_free_before_a_worker_is_ready(self, executor: Executor) -> None:
        assert executor.num_free == 0
        with pytest.raises(RuntimeError, match="no worker is free"):
            executor.submit(scripted_job("early"))
        messages = poll_until_free(executor)
        ready = next(message for message in messages if message["type"] == "ready")
        assert {"device", "memory_gib", "lanes", "process", "worker"} <= set(ready)
        assert executor.num_slots >= executor.num_free > 0

    def test_job_ends_once_and_frees_its_lane(self, executor: Executor) -> None:
        poll_until_free(executor)
        free = executor.num_free
        executor.submit(scripted_job("trial-0001", ["say", "hello"]))
        assert executor.num_free <= free - 1
        messages = poll_until_over(executor, "trial-0001")
        assert [message["type"] for message in messages if message.get("job") == "trial-0001"] == ["log", "ended"]
        executor.submit(scripted_job("trial-0002"))
        assert "trial-0001" not in {message.get("job") for message in poll_until_over(executor, "trial-0002")}

    def test_more_jobs_than_lanes_are_refused(self, executor: Executor, tmp_path: Path) -> None:
        poll_until(executor, lambda _: executor.num_free == executor.num_slots)
        for number in range(executor.num_slots):
            executor.submit(scripted_job(f"trial-{number}", ["wait", str(tmp_path / "never")]))
        assert executor.num_free == 0
        with pytest.raises(RuntimeError, match="no worker is free"):
            executor.submit(scripted_job("one too many"))

    def test_job_under_way_is_not_taken_twice(self, executor: Executor, tmp_path: Path) -> None:
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001", ["wait", str(tmp_path / "never")]))
        with pytest.raises(RuntimeError, match="under way"):
            executor.submit(scripted_job("trial-0001"))

    def test_measured_job_waits_for_its_answer(self, executor: Executor) -> None:
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001", ["measure", 0.5], ["measure", float("nan")]))
        poll_until(executor, lambda messages: any(message["type"] == "measured" for message in messages))
        assert not [message for message in executor.poll(0.05) if message.get("job") == "trial-0001"]
        executor.reply("trial-0001", {"type": "continue", "job": "trial-0001"})
        poll_until(executor, lambda messages: any(message["type"] == "measured" for message in messages))
        executor.reply(
            "trial-0001", {"type": "stop", "job": "trial-0001", "kind": "pruned", "reason": "its peers did better"}
        )
        ended = poll_until_over(executor, "trial-0001")[-1]
        assert ended["result"]["answers"] == [
            {"type": "continue", "job": "trial-0001"},
            {"type": "stop", "job": "trial-0001", "kind": "pruned", "reason": "its peers did better"},
        ]

    def test_paused_job_gives_its_lane_back_and_goes_on_from_its_checkpoint(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        poll_until_free(executor)
        job = scripted_job("trial-0001", ["say", "begun"], ["measure", 0.5], ["say", "rest"], folder=tmp_path / "0001")
        executor.submit(job)
        poll_until(executor, lambda messages: any(message["type"] == "measured" for message in messages))
        executor.reply("trial-0001", {"type": "pause", "job": "trial-0001"})
        assert poll_until_over(executor, "trial-0001")[-1]["outcome"] is None
        assert (tmp_path / "0001" / "checkpoint" / "left").exists(), "it is on the control side's disk"
        poll_until_free(executor)
        executor.submit(job)
        messages = poll_until_over(executor, "trial-0001")
        assert [message["text"] for message in messages if message["type"] == "log"] == ["rest 0"]
        assert messages[-1]["outcome"] is not None

    def test_answer_to_a_job_that_is_over_is_no_error(self, executor: Executor) -> None:
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001"))
        poll_until_over(executor, "trial-0001")
        executor.reply("trial-0001", {"type": "stop", "job": "trial-0001", "kind": "pruned", "reason": "too late"})
        executor.reply("never-seen", {"type": "continue", "job": "never-seen"})
        executor.submit(scripted_job("trial-0002"))
        assert poll_until_over(executor, "trial-0002")[-1]["type"] == "ended"

    def test_messages_keep_their_order_and_number(self, executor: Executor) -> None:
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001", *[["say", "line", 500]] * 20))
        messages = poll_until_over(executor, "trial-0001")
        texts = [message["text"] for message in messages if message["type"] == "log"]
        assert texts == [f"line {number}" for _ in range(20) for number in range(500)]

    def test_failure_is_told_and_the_next_job_runs(self, executor: Executor, tmp_path: Path) -> None:
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001", ["fail", "no such column"], folder=tmp_path / "0001"))
        failed = poll_until_over(executor, "trial-0001")[-1]
        assert (failed["type"], failed["kind"]) == ("failed", "user")
        assert (failed["error_class"], failed["message"]) == ("ValueError", "no such column")
        assert "scripted_engine.py" in failed["where"]
        assert "Traceback" in failed["traceback"]
        assert "no such column" in (tmp_path / "0001" / "worker.log").read_text()
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0002"))
        assert poll_until_over(executor, "trial-0002")[-1]["type"] == "ended"

    @pytest.mark.parametrize("script", [["leave", 3], ["refuse"], ["unsendable"]])
    def test_each_way_of_failing_is_a_failure(self, executor: Executor, script: list[Any]) -> None:
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001", script))
        over = [message for message in poll_until_over(executor, "trial-0001") if message.get("job")]
        assert [message["type"] for message in over] == ["failed"]
        poll_until_free(executor)

    def test_spent_worker_is_replaced_without_a_loss(self, executor: Executor) -> None:
        poll_until_free(executor)
        for number in range(executor.num_slots + 1):
            poll_until_free(executor)
            executor.submit(scripted_job(f"trial-{number}", ["spend"]))
            over = [message for message in poll_until_over(executor, f"trial-{number}") if message.get("job")]
            assert [message["type"] for message in over] == ["ended"]
        messages = poll_until_free(executor)
        assert {message["type"] for message in messages} <= {"ready"}

    def test_poll_returns_in_time_while_a_job_works(self, executor: Executor, tmp_path: Path) -> None:
        poll_until_free(executor)
        executor.submit(scripted_job("trial-0001", ["wait", str(tmp_path / "go")]))
        started = time.monotonic()
        assert not [message for message in executor.poll(0.1) if message.get("job")]
        assert time.monotonic() - started < 5
        (tmp_path / "go").touch()
        poll_until_over(executor, "trial-0001")

    def test_close_lets_a_job_checkpoint(self, executor: Executor, tmp_path: Path) -> None:
        poll_until_free(executor)
        script = [["touch", str(tmp_path / "begun")], ["wait", str(tmp_path / "never")]]
        executor.submit(scripted_job("trial-0001", *script, folder=tmp_path / "0001"))
        poll_until(executor, lambda _: (tmp_path / "begun").exists())
        executor.close()
        assert (tmp_path / "0001" / "drained").exists()
        assert not [message for message in executor.poll(0) if message["type"] == "lost"]
        executor.close()

    def test_kill_does_not_checkpoint(self, executor: Executor, tmp_path: Path) -> None:
        poll_until_free(executor)
        script = [["touch", str(tmp_path / "begun")], ["wait", str(tmp_path / "never")]]
        executor.submit(scripted_job("trial-0001", *script, folder=tmp_path / "0001"))
        poll_until(executor, lambda _: (tmp_path / "begun").exists())
        executor.close(kill=True)
        assert not (tmp_path / "0001" / "drained").exists()

    def test_user_components_can_be_imported(self, tmp_path: Path) -> None:
        folder = tmp_path / "components"
        folder.mkdir()
        name = f"engine_beside_sweep_{os.getpid()}_{abs(hash(type(self).__name__))}"
        (folder / f"{name}.py").write_text("from ftsweep.testing.scripted_engine import ScriptedEngine as Engine\n")
        make_inline_worker = partial(build_worker, engine=f"{name}:Engine", allowed_packages=[name])
        executor = self.make_executor()
        executor.open(
            ExecutorContext(
                log_folder=tmp_path / "logs",
                python_path=[folder],
                allowed_packages=[name],
                engine=f"{name}:Engine",
                make_inline_worker=make_inline_worker,
            )
        )
        try:
            poll_until_free(executor)
        finally:
            executor.close(kill=True)
