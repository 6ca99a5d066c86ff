"""A race as a study's folder tells of it: what counts as a result of a fresh run, and who is in hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ftsweep.config.schema import SelectionSettings
from ftsweep.control.race import Race
from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind, Proposal, TrialRecord
from ftsweep.store.atomic import append_line, write_json
from ftsweep.store.folders import Store, StudyFolder

COMPLETE = Outcome(OutcomeKind.COMPLETE)


def measured(values: Sequence[float], over: float = -1.0) -> list[Measurement]:
    """A loss per rung, from rung 1 on; `over` is what is above a limit."""
    rungs = enumerate(values, start=1)
    return [
        Measurement(rung, rung / len(values), 0, 100 * rung, 0.0, 0.0, {"validation/loss": value}, {"forgetting": over})
        for rung, value in rungs
    ]


def trial(number: int, *losses: float) -> TrialRecord:
    return TrialRecord(Proposal(number, "", {}, is_default=number == 0), tuple(measured(losses)), COMPLETE)


def run_again(folder: StudyFolder, number: int, seed: int, losses: Sequence[float], over: float = -1.0) -> None:
    """A fresh run that has ended, as it lies on disk."""
    run = folder.confirmation(number, seed)
    write_json(run.spec_file, {"number": number, "branch": "", "params": {}, "is_default": number == 0, "config": {}})
    for measurement in measured(losses, over):
        append_line(run.measurements_file, measurement.to_dict())
    run.write_outcome(COMPLETE)
    run.best.mkdir()


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return Store(tmp_path).study("raced")


def race_of(folder: StudyFolder, *records: TrialRecord, top: int = 2, num_rungs: int = 2) -> Race:
    return Race(folder, Objective(), SelectionSettings(top=top, seeds=2, budget=2.0), records, num_rungs)


def test_a_fresh_run_that_is_above_a_limit_at_every_rung_counts_as_failed(folder: StudyFolder) -> None:
    run_again(folder, 0, 1, [2.0, 1.5])
    run_again(folder, 1, 1, [1.0, 0.5], over=0.2)
    race = race_of(folder, trial(0, 2.0, 1.6), trial(1, 1.9, 1.2))
    assert (race.sound, race.failed) == ([(0, 1)], [(1, 1)])
    assert race.value((1, 1)) is None
    assert (1, 1) not in race.in_hand


def test_a_fresh_run_that_an_earlier_choice_kept_stays_in_hand(folder: StudyFolder) -> None:
    """Though fewer seeds are asked for now."""
    run_again(folder, 2, 3, [1.0, 0.9])
    records = [trial(0, 2.0, 1.6), trial(1, 1.9, 1.2), trial(2, 3.0, 2.9)]
    race = race_of(folder, *records, top=1)
    assert race.numbers == [1, 0], "trial 2 is no contender"
    assert (2, 3) in race.in_hand
    folder.confirmation(2, 3).best.rmdir()
    assert (2, 3) not in race_of(folder, *records, top=1).in_hand


def test_whoever_has_ended_a_fresh_run_is_a_contender(folder: StudyFolder) -> None:
    records = [trial(0, 2.0, 1.6), trial(1, 1.9, 1.2), trial(2, 3.0, 2.9), trial(3, 3.0, 2.8)]
    run_again(folder, 2, 1, [1.0, 0.9])
    run_again(folder, 3, 1, [1.0, 0.9])
    folder.confirmation(3, 1).outcome_file.unlink()
    assert race_of(folder, *records, top=1).numbers == [1, 0, 2], "it is under way: its trial's race is no earlier one"


def test_a_run_is_hopeless_at_half_of_its_rungs_far_behind_all_that_ended_before(folder: StudyFolder) -> None:
    records = [trial(number, 2.0 + number / 10, 1.0) for number in range(4)]
    race = race_of(folder, *records)
    (lost, _), (slow, end) = measured([9.0, 1.0]), measured([2.4, 9.0])
    told = race.why_hopeless((1, 1), lost)
    assert told is not None
    assert "validation/loss 9 at rung 1 is far behind the worst run so far, 2.3" in told
    assert race.why_hopeless((1, 1), slow) is None
    assert race.why_hopeless((1, 1), end) is None, "only at half of the rungs"


def test_what_a_round_asks_for_is_told_by_what_lies_on_disk(folder: StudyFolder) -> None:
    records = [trial(number, 2.0, 1.5 + number / 10) for number in range(3)]
    race = race_of(folder, *records)
    assert set(race.next().wanted) == {(0, 1), (1, 1)}
    run_again(folder, 0, 1, [2.0, 1.5])
    assert race.next().wanted == ((1, 1),)
    run_again(folder, 1, 1, [2.0, 1.5])
    assert set(race.next().wanted) == {(0, 2), (1, 2)}
    assert race_of(folder, *records).next() == race.next(), "it remembers nothing that is not on disk"
