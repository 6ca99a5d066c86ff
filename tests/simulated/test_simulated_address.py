"""A study at an address whose machine dies at any request: the next one goes on from there to the same study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from memory_objects import MachineDiedError, MemoryObjects
from test_simulated_pause import Promotion

from ftsweep.control.continuity import settle_trials
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.messages import Message
from ftsweep.store.address.filling import fill_owned
from ftsweep.store.address.index import Index
from ftsweep.store.address.ownership import Ownership
from ftsweep.store.address.sending import Sender
from ftsweep.store.atomic import read_lines
from ftsweep.store.folders import Store

MakeSweep = Callable[..., LiveStudy]
NUM_TRIALS = 5


def told(sweep: LiveStudy) -> list[dict[str, Any]]:
    """What a study comes to: every trial's setting, values and ending."""
    return [
        {
            "params": dict(record.proposal.params),
            "values": [(each.rung, each.values) for each in record.measurements],
            "outcome": record.outcome and (record.outcome.kind, record.outcome.reason, record.outcome.rung),
        }
        for record in sorted(sweep.folder.records(), key=lambda each: each.number)
    ]


def run(sweep: LiveStudy) -> None:
    settle_trials(sweep.study, sweep.folder)
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()


class Machine:
    """One that has nothing, takes the study over, and sends what has changed whenever the loop asks for messages."""

    def __init__(self, make_sweep: MakeSweep, objects: MemoryObjects, place: Path, **settings: Any) -> None:
        folder = Store(place).study("simulated")
        owner = Ownership(objects, folder.name, lambda text: None, seconds=0.0)
        owner.take()
        owner.seconds = 1000.0
        filled = fill_owned(folder, objects)
        self.sweep = make_sweep(place=place, trials=NUM_TRIALS, **settings)
        self.sender = Sender(folder, objects, owner, filled.index or Index(0, 0))
        self._poll = self.sweep.executor.poll
        self.sweep.executor.poll = self._sending  # type: ignore[method-assign]

    def _sending(self, seconds: float) -> list[Message]:
        self.sender.send()
        return list(self._poll(seconds))


def test_machines_that_die_leave_the_study_that_one_would_have_made(make_sweep: MakeSweep, tmp_path: Path) -> None:
    undisturbed = make_sweep(place=tmp_path / "undisturbed", trials=NUM_TRIALS)
    run(undisturbed)
    expected = told(undisturbed)
    assert len(expected) == NUM_TRIALS
    objects, num_machines = MemoryObjects(), 0
    while True:
        num_machines += 1
        assert num_machines < 60, "it comes to no end"
        objects.requests.clear()
        objects.dies_at = 40 + num_machines  # somewhere else in the order each time
        try:
            machine = Machine(make_sweep, objects, tmp_path / f"machine-{num_machines}")
            run(machine.sweep)
            machine.sender.send(is_last=True)
        except MachineDiedError:
            continue
        break
    assert num_machines > 5
    assert told(machine.sweep) == expected
    assert machine.sweep.study.num_asked == NUM_TRIALS
    lines = [list(read_lines(trial.measurements_file)) for trial in machine.sweep.folder.trials()]
    assert [len(each) for each in lines] == [len(each["values"]) for each in expected], "no rung is there twice"


def test_paused_trials_are_at_the_address_with_their_checkpoints_and_go_on_elsewhere(
    make_sweep: MakeSweep, tmp_path: Path
) -> None:
    objects = MemoryObjects()
    first = Machine(make_sweep, objects, tmp_path / "first", pruner=Promotion(enough=9))
    run(first.sweep)
    first.sender.send(is_last=True)
    waiting = sorted(first.sweep.trials.paused)
    assert len(waiting) == NUM_TRIALS - 1
    first.sender.ownership.release()
    second = Machine(make_sweep, objects, tmp_path / "second", pruner=Promotion(enough=1))
    folder = second.sweep.folder
    assert [record.number for record in folder.records() if record.pause is not None] == waiting
    assert all((folder.trial(number).checkpoint / "state").stat().st_size == 1000 for number in waiting)
    run(second.sweep)
    assert all(record.is_complete for record in second.sweep.records)
