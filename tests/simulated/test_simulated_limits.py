"""What ends a search before its number of trials: budgets of time, a target, patience; and what goes on afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulated_parts import branch

from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.trial import OutcomeKind
from ftsweep.store.requests import Requests

MakeSweep = Callable[..., LiveStudy]


def run(sweep: LiveStudy) -> LiveStudy:
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()
    return sweep


def submitted(sweep: LiveStudy) -> list[str]:
    executor: Any = sweep.executor
    return [job for job in executor.jobs if job.startswith("trial-")]


def kinds(sweep: LiveStudy) -> list[str | None]:
    return [record.outcome.kind.value if record.outcome else None for record in sweep.records]


def test_wall_budget_sets_trials_aside_at_the_limit_and_the_next_run_goes_on(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=8, workers=2, wall_minutes=2.5))
    executor: Any = sweep.executor
    assert executor.now <= 150 + 2 * executor.rung_seconds
    assert None in kinds(sweep), "a trial is under way when the time is up"
    assert sweep.note.startswith("budget.wall_minutes=2.5 is spent")
    assert sweep.conclude().model is not None
    begun = {record.number: len(record.measurements) for record in sweep.records if record.outcome is None}

    again = run(make_sweep(trials=8, workers=2, wall_minutes=30))
    assert [record.number for record in again.records] == list(range(8))
    assert None not in kinds(again)
    for number, num_rungs in begun.items():  # continued, not begun anew
        timestamps = [measurement.timestamp for measurement in again.trials.by_number[number].measurements]
        assert len(timestamps) > num_rungs


def test_budget_spent_before_any_trial_is_complete_waits_for_the_first_one(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=8, workers=2, wall_minutes=0.3))
    assert kinds(sweep).count("complete") >= 1
    assert len(sweep.records) == 2
    assert sweep.conclude().model is not None


def test_no_trial_starts_that_cannot_reach_its_first_rung(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=50, wall_minutes=4)
    executor: Any = sweep.executor
    began: list[float] = []
    submit = executor.submit

    def watched(job: Any) -> None:
        if job["type"] == "train":
            began.append(executor.now)
        submit(job)

    executor.submit = watched
    run(sweep)
    assert len(began) >= 3
    assert all(240 - when >= executor.rung_seconds for when in began)
    assert "first rung" in sweep.note or "is spent" in sweep.note


@pytest.mark.parametrize("minutes", [10, 13])
def test_branch_that_is_too_slow_gets_no_trial_and_the_quick_one_goes_on(make_sweep: MakeSweep, minutes: int) -> None:
    def flat(spec: dict[str, Any], rung: int) -> dict[str, float]:  # nothing is pruned, so that all take their time
        return {"validation/loss": 1.0, "train/loss": 1.0}

    sweep = make_sweep(flat, trials=60, branches=(branch("slow"), branch("quick")), wall_minutes=minutes)
    executor: Any = sweep.executor
    schedule, submit = executor._schedule, executor.submit
    began: list[tuple[str, float]] = []

    def slowed(name: str, seconds: float) -> None:
        running = executor._running[name]
        is_slow = running.job["type"] == "train" and running.job["spec"]["branch"] == "slow"
        schedule(name, seconds * (20 if is_slow and running.next_rung == 1 else 1))

    def watched(job: Any) -> None:
        if job["type"] == "train":
            began.append((job["spec"]["branch"], executor.now))
        submit(job)

    executor._schedule, executor.submit = slowed, watched
    run(sweep)
    late = [name for name, when in began if when > 60 * minutes - 120]
    assert late == ["quick"] * len(late)
    assert began[-1][0] == "quick"
    assert 60 * minutes - began[-1][1] <= 60 + 6, "time enough for one more was left"


def test_worker_hours_end_the_search_for_good(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=50, worker_hours=0.05))
    sweep.conclude()
    spent = sum(record.measurements[-1].train_seconds for record in sweep.records if record.measurements)
    assert 180 - 6 <= spent <= 180 + 6
    again = make_sweep(trials=50, worker_hours=0.05)
    assert again.stopping.lasting(again.folder.records()) is not None
    again.search()
    assert submitted(again) == []
    more = run(make_sweep(trials=50, worker_hours=0.1))
    assert len(more.records) > len(sweep.records)


def test_study_ends_at_its_target_and_a_harder_one_goes_on(make_sweep: MakeSweep) -> None:
    off = (branch(rate=1e-5),)
    sweep = run(make_sweep(trials=40, branches=off, stops={"target": 0.5}))
    assert "reached study.target=0.5" in sweep.note
    assert len(sweep.records) < 40
    best = sweep.snapshot("").best
    assert best is not None
    assert best.number == max(record.number for record in sweep.records if record.is_complete)
    assert sweep.conclude().note == sweep.note
    again = make_sweep(trials=40, branches=off, stops={"target": 0.5})
    again.search()
    assert submitted(again) == []
    assert again.stopping.lasting(again.folder.records()) is not None
    harder = run(make_sweep(trials=40, branches=off, stops={"target": 0.19}))
    assert len(harder.records) > len(sweep.records)


def test_study_without_improvement_ends_after_its_patience(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=40, stops={"patience": 4}))
    assert len(sweep.records) < 40
    best = sweep.snapshot("").best
    assert best is not None
    assert max(record.number for record in sweep.records) == best.number + 4
    assert f"The last 4 trials were no better than trial {best.number}" in sweep.note
    patient = run(make_sweep(trials=40, stops={"patience": 8}))
    assert len(patient.records) >= len(sweep.records) + 4


def test_one_trial_that_is_no_better_is_told_of_as_one(make_sweep: MakeSweep) -> None:
    assert "The last trial was no better than trial" in run(make_sweep(trials=40, stops={"patience": 1})).note


def test_small_improvement_is_none(make_sweep: MakeSweep) -> None:
    def curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
        return {"validation/loss": 1.0 - 0.001 * spec["number"], "train/loss": 1.0}

    sweep = run(make_sweep(curve, trials=20, stops={"patience": 3, "min_delta": 0.01}))
    assert len(sweep.records) == 4
    assert "by more than study.min_delta=0.01" in sweep.note
    assert len(run(make_sweep(curve, trials=20, stops={"patience": 3})).records) == 20


def test_trial_that_is_stopped_by_request_is_pruned_and_not_continued(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=3)
    executor: Any = sweep.executor
    poll = executor.poll

    def asking(timeout: float) -> Any:
        messages = poll(timeout)
        if any(message["type"] == "measured" and message["job"] == "trial-0001" for message in messages):
            Requests(sweep.folder).ask_to_stop_trial(1)
        return messages

    executor.poll = asking
    run(sweep)
    outcome = sweep.trials.by_number[1].outcome
    assert outcome is not None
    assert (outcome.kind, outcome.reason) == (OutcomeKind.PRUNED, "stopped by the user")
    assert len(sweep.trials.by_number[1].measurements) <= 3
    assert kinds(sweep)[0] == kinds(sweep)[2] == "complete"
    assert Requests(sweep.folder).trials() == []


def test_waiting_trial_is_stopped_by_request_before_it_goes_on(make_sweep: MakeSweep) -> None:
    class Killed(BaseException):
        pass

    sweep = make_sweep(trials=3)
    executor: Any = sweep.executor
    poll, left = executor.poll, [20]

    def dying(timeout: float) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return poll(timeout)

    executor.poll = dying
    with pytest.raises(Killed):
        run(sweep)
    (waiting,) = [record.number for record in sweep.records if record.outcome is None]
    Requests(sweep.folder).ask_to_stop_trial(waiting)
    again = run(make_sweep(trials=3))
    assert again.trials.by_number[waiting].outcome.reason == "stopped by the user"  # type: ignore[union-attr]
    assert f"trial-{waiting:04d}" not in submitted(again)
    assert len(again.records) == 3


def test_confirmation_stops_at_the_budget_and_the_winner_is_named_all_the_same(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=4, top=2, seeds=3))
    seconds = sum(record.measurements[-1].train_seconds for record in sweep.records)
    again = make_sweep(trials=4, top=2, seeds=3, share=5.0, worker_hours=(seconds + 150) / 3600)
    again.prepare()
    again.search()
    conclusion = again.conclude()
    assert conclusion.model is not None
    assert "The choice was made with 2 runs of fresh seeds: budget.worker_hours=" in conclusion.note
    assert [len(raced.seeds) for raced in conclusion.contenders] == [1, 1]


def test_fresh_seeds_on_many_workers_keep_to_the_budget_together(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=4, top=2, seeds=3))
    seconds = sum(record.measurements[-1].train_seconds for record in sweep.records)
    again = make_sweep(trials=4, top=2, seeds=3, workers=6, worker_hours=(seconds + 150) / 3600)
    again.prepare()
    again.search()
    again.conclude()
    made = [run.measurements[-1].train_seconds for run in again.folder.confirmed()]
    assert sum(made) <= 150


def test_without_time_for_any_fresh_seed_the_search_chooses(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=50, top=2, seeds=2, worker_hours=0.05))
    conclusion = sweep.conclude()
    assert conclusion.model is not None
    assert conclusion.setting is None
    assert "without fresh seeds" in conclusion.note


def test_parts_of_train_are_not_tried_without_a_budget_for_them(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=4))
    seconds = sum(record.measurements[-1].train_seconds for record in sweep.records)
    again = make_sweep(trials=4, quantity=True, worker_hours=(seconds + 10) / 3600)
    again.prepare()
    again.search()
    quantity = again.conclude().quantity
    assert not quantity.points
    assert "not tried to the end: budget.worker_hours=" in quantity.sentence
    assert not (again.folder.path / "quantity").exists()
