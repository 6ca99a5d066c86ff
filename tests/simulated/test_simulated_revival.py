"""Trials that are still paused when the search ends: they wait with their checkpoints for more budget, then go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from simulated_parts import Killed, branch, loss_curve
from test_simulated_extension import extended, in_space
from test_simulated_pause import Promotion

from ftsweep.analysis.conclusion import said_in_full
from ftsweep.control.clean import clean
from ftsweep.control.continuity import manifest_of, settle_trials
from ftsweep.control.live_study import LiveStudy
from ftsweep.control.run import _is_complete
from ftsweep.domain.result import StudyResult
from ftsweep.domain.space import Choice, FloatInterval
from ftsweep.domain.trial import OutcomeKind
from ftsweep.search.asking import ask_to_pin
from ftsweep.search.pruners.curves import Curves
from ftsweep.store.requests import ask_to_stop_trial, end_at_rest
from ftsweep.store.result import read_result
from ftsweep.store.study_state import COMPLETE, NOT_FINISHED, read_state

MakeSweep = Callable[..., LiveStudy]
ME = "a test"


def search(sweep: LiveStudy) -> LiveStudy:
    manifest_of(sweep.config).write(sweep.folder.manifest_file)
    sweep.folder.sweep_file.touch()
    settle_trials(sweep.study, sweep.folder)
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()
    return sweep


def submitted(sweep: LiveStudy) -> list[int]:
    executor: Any = sweep.executor
    return [int(job.removeprefix("trial-")) for job in executor.jobs if job.startswith("trial-")]


def finished(make_sweep: MakeSweep, **changes: Any) -> tuple[LiveStudy, StudyResult]:
    """A study of 9 trials that was searched and concluded: three of them are still paused."""
    sweep = search(make_sweep(**{"trials": 9, "pruner": Promotion(4), **changes}))
    return sweep, sweep.conclude()


def facts(sweep: LiveStudy) -> list[Any]:
    """Of every trial its values, how it ended, and where it is paused."""
    return [
        (record.number, [each.values for each in record.measurements], record.outcome, record.pause)
        for record in sweep.folder.records()
    ]


def paused(sweep: LiveStudy) -> list[int]:
    return [record.number for record in sweep.folder.records() if record.pause is not None]


def test_who_is_paused_at_the_end_waits_and_the_study_is_complete_all_the_same(make_sweep: MakeSweep) -> None:
    sweep, result = finished(make_sweep)
    state = read_state(sweep.folder)
    assert len(paused(sweep)) == 3
    assert [record.number for record in state.paused] == paused(sweep) == sorted(sweep.trials.paused)
    assert state.phase == COMPLETE
    assert (state.running, state.num_ended, state.best) == ((), 6, state.trial(result.number or 0))
    assert result.unfinished == tuple(paused(sweep))
    assert all((sweep.folder.trial(number).checkpoint / "state").exists() for number in paused(sweep))
    stored = {trial.number: trial for trial in sweep.study._study.get_trials(deepcopy=False)}
    shown = {trial.number: trial.state for trial in sweep.study._proposer._seen_all.trials()}
    for number in paused(sweep):
        assert (stored[number].state, shown[number]) == (TrialState.RUNNING, TrialState.PRUNED)
    said = said_in_full(result, state.trials, state.objective)[-1]
    assert said.startswith(f"Paused: trial {paused(sweep)[0]} at rung 3, ")
    assert "budget.trials" in said


def test_the_same_command_starts_nothing_and_a_larger_budget_does(make_sweep: MakeSweep) -> None:
    _, result = finished(make_sweep)
    assert _is_complete(make_sweep(trials=9, pruner=Promotion(4)), result)
    assert not _is_complete(make_sweep(trials=10, pruner=Promotion(4)), result)
    assert not _is_complete(make_sweep(trials=9, pruner=Promotion(enough=3)), result), "another pruner wakes one"


@pytest.mark.parametrize("workers", [1, 3])
def test_a_larger_budget_wakes_them_to_the_study_that_it_would_have_been(
    make_sweep: MakeSweep, tmp_path: Path, workers: int
) -> None:
    first, result = finished(make_sweep)
    waiting = paused(first)
    grown, _ = finished(make_sweep, trials=16, workers=workers)
    woken = set(submitted(grown)) & set(waiting)
    assert woken
    assert all(grown.trials.by_number[number].is_complete for number in woken)
    for record in grown.folder.records():
        assert [each.rung for each in record.measurements] == list(range(len(record.measurements)))
        expected = [loss_curve(grown.folder.trial(record.number).spec(), each.rung) for each in record.measurements]
        assert [each.values for each in record.measurements] == expected
    assert read_state(grown.folder).is_concluded
    if workers == 1:
        (tmp_path / "at-once").mkdir()
        at_once, chosen = finished(make_sweep, trials=16, place=tmp_path / "at-once")
        assert facts(grown) == facts(at_once)
        again = read_result(grown.folder)
        assert again is not None
        assert (again.model, again.unfinished) == (chosen.model, chosen.unfinished)
        assert again.num_trials == 16 > result.num_trials


def test_kill_at_any_moment_of_the_revival_changes_nothing(make_sweep: MakeSweep, tmp_path: Path) -> None:
    _, before = finished(make_sweep, place=tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "whole")
    polls: list[int] = []
    whole = make_sweep(trials=11, pruner=Promotion(4), place=tmp_path / "whole")
    counting(whole, lambda count: polls.append(count))
    result = search(whole).conclude()
    assert set(submitted(whole)) & set(before.unfinished)
    expected = facts(whole)
    for stop_after in range(1, len(polls) + 1, 3):
        place = tmp_path / "killed"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(tmp_path / "first", place)
        killed = make_sweep(trials=11, pruner=Promotion(4), place=place)

        def die(count: int, stop_after: int = stop_after) -> None:
            if count >= stop_after:
                raise Killed

        counting(killed, die)
        with pytest.raises(Killed):
            search(killed).conclude()
        again = make_sweep(trials=11, pruner=Promotion(4), place=place)
        assert read_state(again.folder).phase == NOT_FINISHED
        assert not _is_complete(again, before)
        again_result = search(again).conclude()
        assert facts(again) == expected, stop_after
        assert (again_result.model, again_result.unfinished) == (result.model, result.unfinished)


def counting(sweep: LiveStudy, each: Callable[[int], None]) -> None:
    """Have a function called with the number of every look for messages."""
    executor: Any = sweep.executor
    poll, count = executor.poll, [0]

    def polling(seconds: float) -> Any:
        count[0] += 1
        each(count[0])
        return poll(seconds)

    executor.poll = polling


def test_result_is_not_that_of_trials_which_came_to_their_end_since(make_sweep: MakeSweep) -> None:
    """Killed between the last ending and the conclusion, with as many trials as before."""
    _, result = finished(make_sweep)
    more = search(make_sweep(trials=9, pruner=Promotion(enough=1)))
    assert paused(more) == []
    assert not result.is_about(more.folder.records())
    assert read_state(more.folder).phase == NOT_FINISHED
    assert not _is_complete(make_sweep(trials=9, pruner=Promotion(enough=1)), result)


def test_a_pinned_one_goes_on_at_the_next_run(make_sweep: MakeSweep) -> None:
    first, result = finished(make_sweep)
    number = paused(first)[0]
    ask_to_pin(first.folder, number, by=ME)
    again = make_sweep(trials=9, pruner=Promotion(4))
    assert not _is_complete(again, result)
    concluded = search(again).conclude()
    assert submitted(again) == [number]
    assert again.trials.by_number[number].is_complete
    assert number not in concluded.unfinished
    assert _is_complete(make_sweep(trials=9, pruner=Promotion(4)), concluded)


def test_a_pin_that_was_granted_before_a_kill_has_it_go_on(make_sweep: MakeSweep) -> None:
    first, result = finished(make_sweep)
    number = paused(first)[0]
    ask_to_pin(first.folder, number, by=ME)
    killed = make_sweep(trials=9, pruner=Promotion(4))
    killed.study.release = cut  # type: ignore[method-assign]
    with pytest.raises(Killed):
        search(killed)
    again = make_sweep(trials=9, pruner=Promotion(4))
    assert again.heeding.answers[-1].request.trial == number, "the answer is on disk"
    assert not _is_complete(again, result)
    assert search(again).trials.by_number[number].is_complete


def cut(*_: Any) -> None:
    raise Killed


def test_pin_during_the_conclusion_is_answered_with_what_has_it_go_on(make_sweep: MakeSweep) -> None:
    sweep = search(make_sweep(trials=9, pruner=Promotion(4), seeds=1))
    ask_to_pin(sweep.folder, paused(sweep)[0], by=ME)
    sweep.conclude()
    (answer,) = sweep.heeding.answers
    assert answer.is_refused
    assert "ask again, and have the trial go on: `ftsweep run simulated" in answer.text


def test_one_that_is_stopped_at_rest_ends_and_the_next_run_has_optuna_know(make_sweep: MakeSweep) -> None:
    first, result = finished(make_sweep)
    number = paused(first)[0]
    ask_to_stop_trial(first.folder, number)
    assert end_at_rest(first.folder, number)
    assert read_state(first.folder).phase == COMPLETE, "the choice is what it was"
    assert not first.folder.trial(number).checkpoint.exists()
    again = make_sweep(trials=9, pruner=Promotion(4))
    assert not _is_complete(again, result)
    concluded = search(again).conclude()
    assert submitted(again) == []
    outcome = again.study.records()[number].outcome
    assert outcome is not None
    assert outcome.kind is OutcomeKind.PRUNED
    assert concluded.model == result.model


def test_clean_leaves_their_checkpoints(make_sweep: MakeSweep) -> None:
    sweep, _ = finished(make_sweep)
    cleaning = clean(sweep.folder.store, [sweep.folder])
    assert not [each for each in cleaning.removals if each.path.name == "checkpoint"]
    assert all(sweep.folder.trial(number).checkpoint.exists() for number in paused(sweep))


@pytest.mark.parametrize("is_wider", [True, False])
def test_an_extended_space_takes_them_along_paused(make_sweep: MakeSweep, is_wider: bool) -> None:
    first, _ = finished(make_sweep)
    waiting = paused(first)
    wide = in_space(rate=FloatInterval(1e-6, 1.0, log=True), rank=Choice((4, 8, 16)))
    new = wide if is_wider else in_space(rank=Choice((8,)))
    kept = [each for each in waiting if is_wider or first.records[each].proposal.params["strategy.rank"] == 8]
    sweep = extended(make_sweep, first, new, trials=16, pruner=Promotion(4))
    assert [each.number for each in sweep.study.running()] == kept
    assert all(sweep.study.pause_of(number) for number in kept)
    sweep.prepare()
    sweep.search()
    woken = set(submitted(sweep)) & set(waiting)
    assert woken
    assert woken <= set(kept)
    assert all(sweep.trials.by_number[number].is_complete for number in woken)


def test_pauses_are_put_back_from_the_folders_where_the_database_has_lost_them(make_sweep: MakeSweep) -> None:
    first, result = finished(make_sweep)
    expected, waiting = facts(first), paused(first)
    database = first.folder.store.optuna_database
    make_sweep(trials=9, pruner=Promotion(4)).study.close()
    for file in database.parent.glob("optuna.db*"):
        file.unlink()
    again = search(make_sweep(trials=9, pruner=Promotion(4)))
    assert submitted(again) == []
    assert facts(again) == expected
    assert sorted(again.trials.paused) == waiting
    assert again.conclude().model == result.model


class Never(Promotion):
    """Resumes none."""

    def resume(self, curves: Curves, paused: Mapping[int, int]) -> int | None:
        return None


def test_what_was_resumed_is_not_paused_again_by_a_database_that_forgot_it(make_sweep: MakeSweep) -> None:
    first = make_sweep(trials=9, pruner=Promotion(enough=1))

    def die(count: int) -> None:
        if any(record.last_pause is not None and record.last_pause.is_over for record in first.records):
            raise Killed

    counting(first, die)
    with pytest.raises(Killed):
        search(first)
    (number,) = [each.number for each in first.folder.records() if each.last_pause and each.last_pause.is_over]
    make_sweep(trials=9, pruner=Never(9)).study.close()
    for file in first.folder.store.optuna_database.parent.glob("optuna.db*"):
        file.unlink()
    again = search(make_sweep(trials=number + 1, pruner=Never(9)))
    assert again.trials.by_number[number].is_complete


KIB = 2**10 / 2**30


def test_limit_of_disk_drops_the_worst_first_and_such_a_trial_begins_anew(
    make_sweep: MakeSweep, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Six trials wait, with 1 MiB each; there is room for about two."""
    place = tmp_path / "limited"
    sweep = make_sweep(trials=7, pruner=Never(9), place=place, disk_gib=2.5 * 1024 * KIB)
    sweep.executor.checkpoint_bytes = 2**20  # type: ignore[attr-defined]
    sweep.stopping._size = measured_always(sweep)  # type: ignore[method-assign]
    result = search(sweep).conclude()
    assert len(sweep.records) == 7, "what paused trials keep ends no search"
    assert "budget.disk_gib" not in sweep.note
    whole = [record for record in sweep.folder.records() if record.pause and record.pause.has_checkpoint]
    dropped = [record for record in sweep.folder.records() if record.pause and not record.pause.has_checkpoint]
    assert (len(whole), len(dropped)) == (2, 4)
    assert {sweep.folder.trial(record.number).checkpoint.exists() for record in dropped} == {False}
    value = sweep.config.objective.value
    assert max(value(each.measurements[-1]) for each in whole) < min(value(each.measurements[-1]) for each in dropped)
    assert "budget.disk_gib=0.00244141 is reached: checkpoints of paused trials were removed (trial" in caplog.text
    assert dropped[0].pause is not None
    assert dropped[0].pause.sentence.startswith(
        "paused at rung 3, to begin anew (its checkpoint was removed to keep budget.disk_gib): It waits"
    )

    same = search(make_sweep(trials=7, pruner=Never(9), place=place))
    assert [record.last_pause for record in same.records] == [record.last_pause for record in sweep.records]
    again = make_sweep(trials=7, pruner=Promotion(enough=1), place=place)
    assert not _is_complete(again, result)
    search(again)
    assert all(record.is_complete for record in again.records)
    for record in again.folder.records():
        expected = [loss_curve(again.folder.trial(record.number).spec(), rung) for rung in range(11)]
        assert [each.values for each in record.measurements] == expected


def measured_always(sweep: LiveStudy) -> Callable[[], int]:
    """A look at the disk each time: in simulated time none is due again."""
    stopping = sweep.stopping
    look = stopping._size

    def size() -> int:
        stopping._measure_again = 0.0
        return look()

    return size


def test_lowered_limit_of_disk_is_kept_by_the_next_run(make_sweep: MakeSweep) -> None:
    sweep, result = finished(make_sweep)
    size = sum(file.stat().st_size for file in sweep.folder.path.rglob("*") if file.is_file())
    lowered = make_sweep(trials=9, pruner=Promotion(4), disk_gib=(size - 1500) / 2**30)
    assert not _is_complete(lowered, result)
    concluded = search(lowered).conclude()
    kept = [record.pause.has_checkpoint for record in lowered.folder.records() if record.pause is not None]
    assert sorted(kept) == [False, False, True]
    assert submitted(lowered) == []
    assert concluded.model == result.model


def test_fresh_runs_have_the_disk_before_paused_trials(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=9, pruner=Promotion(4), top=2, seeds=1, share=0.9, row_noise=0.02)
    sweep.executor.checkpoint_bytes = 100_000  # type: ignore[attr-defined]
    search(sweep)
    size = sum(file.stat().st_size for file in sweep.folder.path.rglob("*") if file.is_file())
    budget = replace(sweep.config.budget, disk_gib=(size - 150_000) / 2**30)
    sweep.stopping.config = replace(sweep.config, budget=budget)
    sweep.conclude()
    assert sweep.folder.fresh_runs()
    assert "disk_gib" not in sweep.note
    kept = [record.pause.has_checkpoint for record in sweep.folder.records() if record.pause is not None]
    assert sorted(kept) == [False, False, True]


def test_spent_compute_leaves_them_paused_and_more_of_it_asks_the_pruner_again(make_sweep: MakeSweep) -> None:
    hours = 150 / 3600
    first = search(make_sweep(trials=20, pruner=Promotion(4), worker_hours=hours))
    result = first.conclude()
    assert result.note.startswith("budget.worker_hours")
    waiting = paused(first)
    assert waiting
    assert _is_complete(make_sweep(trials=20, pruner=Promotion(4), worker_hours=hours), result)
    assert read_state(first.folder).phase == COMPLETE
    more = make_sweep(trials=20, pruner=Promotion(4), worker_hours=4 * hours)
    assert not _is_complete(more, result)
    search(more)
    assert set(submitted(more)) & set(waiting)


def test_set_aside_at_a_limit_and_complete_since_is_no_trial_of_the_earlier_result(make_sweep: MakeSweep) -> None:
    first = search(make_sweep(trials=8, workers=2, wall_minutes=2.5))
    result = first.conclude()
    assert result.unfinished
    more = search(make_sweep(trials=len(first.records), workers=2))  # and killed before its conclusion
    assert len(more.records) == len(first.records)
    assert not _is_complete(make_sweep(trials=len(first.records)), result)


def test_a_branch_that_is_new_leaves_paused_ones_of_another_alone(make_sweep: MakeSweep) -> None:
    """The study's branches are what they were: a pruner compares within one."""
    sweep = search(make_sweep(trials=8, pruner=Promotion(enough=9), branches=(branch("one"), branch("two"))))
    result = sweep.conclude()
    assert len(paused(sweep)) == 6
    assert {approach.fate for approach in result.approaches} <= {"", "3 paused"}
    assert replace(result, unfinished=()).is_about(sweep.folder.records()), "none of them is complete"
