"""Twenty kills of the control process at random moments: the study ends as an undisturbed one, and is recorded once."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from e2e_place import Place, make_place

from ftsweep.domain.trial import OutcomeKind
from ftsweep.store.folders import StudyFolder

NUM_KILLS = 20
SETTINGS = ("budget.trials=8", "rungs.count=6")
STATUSES = {OutcomeKind.COMPLETE: "FINISHED", OutcomeKind.PRUNED: "KILLED"}
PATIENCE_SECONDS = 120


def records(place: Place) -> dict[int, Any]:
    """Every trial's parameters, measured values and outcome: what must not depend on kills."""
    return {
        record.number: (
            dict(record.proposal.params),
            [(measurement.rung, dict(measurement.values)) for measurement in record.measurements],
            record.outcome.kind if record.outcome else None,
        )
        for record in StudyFolder(place.study("small")).records()
    }


def num_measured(place: Place) -> int:
    """Whole lines in all trials' measurement files; cheap enough to be asked all the time."""
    files = (place.study("small") / "trials").glob("[0-9]*/measurements.jsonl")
    return sum(file.read_bytes().count(b"\n") for file in files)


def wait_for_more(place: Place, count: int, control: subprocess.Popen[str]) -> bool:
    """Wait until so many more rungs are measured; false when the process came to its end before."""
    wanted = num_measured(place) + count
    deadline = time.monotonic() + PATIENCE_SECONDS
    while num_measured(place) < wanted:
        if control.poll() is not None:
            return False
        assert time.monotonic() < deadline, "the study does not get on"
        time.sleep(0.01)  # a file has no event to wait for
    return True


def kill_at_random(place: Place, chance: random.Random) -> bool:
    """Start or continue the study and kill its control process; false when it was done before that.

    Most kills come a moment after a measurement or two, where the loop is busy; each fifth while it starts or recovers.
    """
    control = place.start("run", "small.yaml", *SETTINGS)
    is_running = True
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0.5, 5))
    else:
        is_running = wait_for_more(place, chance.randint(1, 2), control)
        time.sleep(chance.uniform(0, 0.3))
    is_running = is_running and control.poll() is None
    if is_running:
        control.kill()
    _, errors = control.communicate(timeout=PATIENCE_SECONDS)
    assert control.returncode in (0, -9), errors
    return is_running


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")  # inside MLflow
def test_study_killed_twenty_times_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    undisturbed, place = make_place(tmp_path / "undisturbed"), make_place(tmp_path / "killed")
    done = undisturbed.run("run", "small.yaml", *SETTINGS)
    assert done.returncode == 0, done.stderr

    chance = random.Random(20)
    num_kills = sum(kill_at_random(place, chance) for _ in range(NUM_KILLS))
    assert num_kills == NUM_KILLS, "the study was too short for so many kills"
    done = place.run("run", "small.yaml", *SETTINGS)
    assert done.returncode == 0, done.stderr
    assert records(place) == records(undisturbed)
    assert len(records(place)) == 8
    assert not list(place.study("small").rglob("*.tmp")), "torn checkpoints of killed workers stay on disk"
    check_recorded_once(place)


def check_recorded_once(place: Place) -> None:
    """One MLflow run per trial, with its status and each rung exactly once."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{place.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    names = Counter(run.info.run_name for run in runs)
    assert names == Counter(["sweep", "baseline-main", *(f"trial-{number:04d}" for number in range(8))])
    by_name = {run.info.run_name: run for run in runs}
    for number, (_, measured, outcome) in records(place).items():
        run = by_name[f"trial-{number:04d}"]
        assert run.info.status == STATUSES[outcome]
        history = client.get_metric_history(run.info.run_id, "validation/loss")
        assert sorted((entry.step, entry.value) for entry in history) == [
            (rung, values["validation/loss"]) for rung, values in measured
        ]
