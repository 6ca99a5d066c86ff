"""`ftsweep stop` and what ends a study early, with real processes on one store."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from e2e_place import Place, Started

from ftsweep.store.atomic import read_json

DEADLINE_SECONDS = 150


def wait_for_rung(place: Place, number: int, rung: int, process: Started) -> None:
    file = place.study("small") / "trials" / f"{number:04d}" / "measurements.jsonl"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if file.exists() and len(file.read_text(encoding="utf-8").splitlines()) > rung:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)  # a file has no event to wait for
    raise AssertionError(f"trial {number} did not reach rung {rung}")


def outcomes(place: Place) -> dict[int, Any]:
    return {trial["number"]: trial["outcome"] for trial in place.ask("status", "small", "--json")["trials"]}


@pytest.mark.timeout(600)
def test_trial_and_study_are_stopped_from_another_process(place: Place) -> None:
    words = ["small.yaml", "budget.trials=3", "training.epochs=4", "pruner=none"]
    control = place.fork("run", *words)
    wait_for_rung(place, 0, 1, control)
    enqueued = place.run("enqueue", "small", "--from", "0", "training.learning_rate=0.0031")
    assert enqueued.returncode == 0, enqueued.stderr
    assert enqueued.stdout.endswith("(a copy of trial 0): it is tried next.\n")
    wait_for_rung(place, 1, 1, control)
    stopped = place.run("stop", "small", "--trial", "1")
    assert stopped.returncode == 0, stopped.stderr
    assert "Trial 1 has ended: pruned, stopped by the user." in stopped.stdout
    wait_for_rung(place, 2, 1, control)
    asked = time.monotonic()
    stopped = place.run("stop", "small")
    out, errors = control.communicate(timeout=DEADLINE_SECONDS)
    assert control.returncode == 0, errors
    assert time.monotonic() - asked < 30  # the promise is 10 s; a busy machine starts commands slowly
    assert f"Asked process {control.pid}" in stopped.stdout
    assert "Stopped, with 2 of 3 begun trials ended" in stopped.stdout
    assert re.search(r"Stopped by \S+ on \S+ with ftsweep stop\.", out)
    assert outcomes(place) == {0: "complete", 1: "pruned", 2: None}
    specs = [read_json(place.study("small") / f"trials/{number:04d}/spec.json") for number in (1, 2)]
    assert 0.0031 in [spec["params"]["training.learning_rate"] for spec in specs]
    assert place.study("small").joinpath("trials", "0002", "checkpoint").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_wall_limit_sets_the_trial_under_way_aside_and_the_same_command_goes_on(place: Place) -> None:
    words = ["small.yaml", "budget.trials=10", "training.epochs=8", "pruner=none"]
    first = place.run("run", *words[:1], "budget.trials=1", *words[2:])
    assert first.returncode == 0, first.stderr
    short = place.run("run", *words, "budget.wall_minutes=0.2")
    assert short.returncode == 0, short.stderr
    assert "budget.wall_minutes=0.2" in short.stdout
    assert len(outcomes(place)) < 10 or None in outcomes(place).values()
    assert place.ask("best", "small", "--json")["conclusion"]["model"] is not None
    done = place.run("run", *words)
    assert done.returncode == 0, done.stderr
    assert list(outcomes(place).values()) == ["complete"] * 10


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_study_is_extended_into_another_space_and_ends_at_a_target(place: Place) -> None:
    words = ["small.yaml", "budget.trials=3", "pruner=none"]
    assert place.run("run", *words).returncode == 0
    changed = [*words, "space.strategy.rank=[2,8]"]
    refused = place.run("run", *changed)
    assert refused.returncode == 2
    assert "study.extend=true" in refused.stderr
    assert "was {2, 4}, is now {2, 8}" in refused.stderr
    done = place.run("run", *changed, "study.extend=true", "budget.trials=4")
    assert done.returncode == 0, done.stderr
    told = place.ask("status", "small", "--json")
    assert len(told["trials"]) == 4
    assert {trial["params"]["strategy.rank"] for trial in told["trials"]} <= {2, 8}
    again = place.run("run", *changed, "budget.trials=4")
    assert "is complete: nothing was started" in again.stdout
    reached = place.run("run", *changed, "budget.trials=9", "study.target=0.69")
    assert reached.returncode == 0, reached.stderr
    assert "reached study.target=0.69" in reached.stdout
    assert len(place.ask("status", "small", "--json")["trials"]) == 4
    assert place.run("run", *changed, "objective.metric=macro_f1", "study.extend=true").returncode == 2
