"""What only the inline executor promises."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ftsweep.errors import ConfigError
from ftsweep.executors.base import ExecutorContext, Outbox
from ftsweep.executors.inline import Inline
from ftsweep.testing.executor import SCRIPTED_ENGINE, poll_until_free, poll_until_over, scripted_context, scripted_job
from ftsweep.worker.process import Worker, build_worker


def test_jobs_run_in_this_process_with_the_threads_asked_for(tmp_path: Path) -> None:
    built: list[Worker] = []

    def make(outbox: Outbox, threads: int | None) -> Worker:
        built.append(build_worker(outbox, threads, engine=SCRIPTED_ENGINE))
        return built[-1]

    executor = Inline(threads=3)
    executor.open(ExecutorContext(log_folder=tmp_path, make_inline_worker=make))
    assert built == []  # open starts nothing heavy
    poll_until_free(executor)
    executor.submit(scripted_job("trial-0001"))
    assert poll_until_over(executor, "trial-0001")[-1]["result"]["threads"] == 3
    assert built[0].engine.num_steps == 1


@pytest.fixture
def _interrupts_raise() -> Iterator[None]:
    """As in a terminal: a suite that a script starts in the background inherits an ignored SIGINT."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("_interrupts_raise")
def test_interrupt_reaches_the_caller_of_poll(tmp_path: Path) -> None:
    executor = Inline()
    executor.open(scripted_context(tmp_path))
    poll_until_free(executor)
    never = ["wait", str(tmp_path / "never")]
    executor.submit(scripted_job("trial-0001", ["signal", "SIGINT"], never, folder=tmp_path / "0001"))
    with pytest.raises(KeyboardInterrupt):
        poll_until_over(executor, "trial-0001")
    executor.close()
    assert (tmp_path / "0001" / "drained").exists()


def test_lanes_take_turns_between_two_polls(tmp_path: Path) -> None:
    executor = Inline(lanes=2)
    executor.open(scripted_context(tmp_path))
    poll_until_free(executor)
    assert executor.num_free == executor.num_slots == 2
    executor.submit(scripted_job("left", ["measure", 0.5]))
    executor.submit(scripted_job("right", ["touch", str(tmp_path / "touched")], ["measure", 0.4]))
    assert [message["job"] for message in executor.poll(0)] == ["left"]
    executor.reply("left", {"type": "continue", "job": "left"})
    assert [(message["type"], message["job"]) for message in executor.poll(0)] == [
        ("ended", "left"),
        ("measured", "right"),
    ]
    executor.close(kill=True)


def test_poll_does_not_wait_for_what_cannot_come(tmp_path: Path) -> None:
    executor = Inline()
    executor.open(scripted_context(tmp_path))
    poll_until_free(executor)
    assert executor.poll(3600) == []
    executor.close()


def test_import_path_is_as_before_after_close(tmp_path: Path) -> None:
    before = [*sys.path]
    executor = Inline()
    executor.open(scripted_context(tmp_path, python_path=[tmp_path]))
    assert sys.path[0] == str(tmp_path)
    executor.close()
    assert sys.path == before


def test_settings_that_cannot_be_honoured_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"executor\.threads"):
        Inline(threads=0)
    with pytest.raises(ConfigError):
        Inline().open(ExecutorContext(log_folder=tmp_path))


def test_engine_outside_of_the_allowed_packages_is_refused() -> None:
    with pytest.raises(ConfigError, match="os:system"):
        build_worker(print, None, engine="os:system")
    assert partial(build_worker, engine=SCRIPTED_ENGINE)(print, None).engine.num_lanes == 1
