"""Studies whose worker trains several trials at once: repeatable, with the values of one lane, whatever is killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from e2e_place import Place, make_place

from ftsweep.domain.trial import OutcomeKind, TrialRecord
from ftsweep.store.folders import StudyFolder

PATIENCE_SECONDS = 240

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
]


def trials(place: Place) -> list[TrialRecord]:
    return StudyFolder(place.study("small")).records()


def told(place: Place) -> list[Any]:
    """What must not depend on time: parameters, measured values and how each trial ended."""
    return [
        (
            dict(record.proposal.params),
            [(measurement.rung, dict(measurement.values)) for measurement in record.measurements],
            record.outcome.kind if record.outcome else None,
        )
        for record in trials(place)
    ]


def run(place: Place, *settings: str) -> None:
    done = place.run_as_a_person("run", "small.yaml", *settings)
    assert done.returncode == 0, done.stderr


def test_a_study_with_lanes_is_repeatable_and_its_trials_measure_what_they_measure_alone(tmp_path: Path) -> None:
    places = [make_place(tmp_path / name) for name in ("first", "second", "alone")]
    settings = ("budget.trials=7", "rungs.count=3", "executor.lanes=3")
    for place in places[:2]:
        run(place, *settings)
    assert told(places[0]) == told(places[1])
    assert len(trials(places[0])) == 7
    shared = [record.outcome.extra["shared_steps"] for record in trials(places[0]) if record.outcome]
    assert sum(shared) > 50, shared
    run(places[2], *settings[:2], "executor.lanes=1")
    alone = {tuple(sorted(params.items())): measured for params, measured, _ in told(places[2])}
    same = [
        (measured, alone[key])
        for params, measured, _ in told(places[0])
        if (key := tuple(sorted(params.items()))) in alone
    ]
    assert len(same) >= 3, "too few settings were tried in both"
    for beside, by_itself in same:
        both = min(len(beside), len(by_itself))  # one of the two may have been pruned earlier
        assert beside[:both] == by_itself[:both]


def num_measured(place: Place) -> list[int]:
    files = (place.study("small") / "trials").glob("[0-9]*/measurements.jsonl")
    return [file.read_bytes().count(b"\n") for file in files]


def worker_of(control: int) -> psutil.Process:
    children = psutil.Process(control).children(recursive=True)
    return next(child for child in children if "ftsweep.worker.process" in child.cmdline())


def test_a_worker_killed_with_four_lanes_under_way_leaves_all_four_to_come_to_the_same(tmp_path: Path) -> None:
    undisturbed, place = make_place(tmp_path / "undisturbed"), make_place(tmp_path / "killed")
    settings = ("budget.trials=4", "rungs.count=4", "pruner=none", "executor.lanes=4", "training.epochs=4")
    run(undisturbed, *settings)
    control = place.start("run", "small.yaml", *settings)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while sorted(num_measured(place))[:1] < [2] or len(num_measured(place)) < 4:
        assert time.monotonic() < deadline, num_measured(place)
        assert control.poll() is None, control.communicate()
        time.sleep(0.01)  # a file has no event to wait for
    os.kill(worker_of(control.pid).pid, signal.SIGKILL)
    _, errors = control.communicate(timeout=PATIENCE_SECONDS)
    assert control.returncode == 0, errors
    assert [outcome for _, _, outcome in told(place)] == [OutcomeKind.COMPLETE] * 4
    assert told(place) == told(undisturbed)
    lost = (place.study("small") / "workers" / "lost.jsonl").read_text(encoding="utf-8")
    assert lost.count("SIGKILL") == 4, lost
