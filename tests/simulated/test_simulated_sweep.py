"""The loop's promises, proven in simulated time: exact budgets, no barrier, no lost and no doubled work."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulated_parts import branch, loss_curve

from ftsweep.control.continuity import settle_trials
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.space import Choice, Space
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import StudyError, UsageError

MakeSweep = Callable[..., LiveStudy]


def run(sweep: LiveStudy) -> LiveStudy:
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()
    return sweep


def kinds(sweep: LiveStudy) -> Counter[OutcomeKind | None]:
    return Counter(record.outcome.kind if record.outcome else None for record in sweep.records)


def test_study_makes_exactly_its_trials_and_prunes_the_hopeless(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=20))
    assert [record.number for record in sweep.records] == list(range(20))
    assert kinds(sweep)[OutcomeKind.PRUNED] >= 3
    assert kinds(sweep)[OutcomeKind.COMPLETE] >= 5
    assert sum(kinds(sweep).values()) == 20
    assert sweep.records[0].proposal.is_default
    assert sweep.records[0].outcome is not None
    assert sweep.records[0].outcome.kind is OutcomeKind.COMPLETE


def test_free_worker_gets_the_next_trial_at_once(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=24, workers=4)
    busy_seconds = 0.0
    executor: Any = sweep.executor
    original = executor.poll

    def poll(timeout: float) -> Any:
        nonlocal busy_seconds
        before, running = executor.now, executor.num_slots - executor.num_free
        messages = original(timeout)
        if sweep.study.num_asked < 24 and sweep.study.num_asked > 0:
            assert running == 4, "a worker was idle while trials were left to start"
        busy_seconds += running * (executor.now - before)
        return messages

    executor.poll = poll
    run(sweep)
    assert busy_seconds > 0.8 * 4 * executor.now


@pytest.mark.parametrize("stop_after", [1, 7, 40, 90])
def test_interrupted_study_ends_with_the_trials_of_an_undisturbed_one(
    make_sweep: MakeSweep, tmp_path: Any, stop_after: int
) -> None:
    """A process that just vanishes: no message is handled any more, nothing is told, the folders stay."""

    class Killed(BaseException):
        pass

    sweep = make_sweep(trials=12)
    executor: Any = sweep.executor
    original, left = executor.poll, [stop_after]

    def poll(timeout: float) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return original(timeout)

    executor.poll = poll
    with pytest.raises(Killed):
        run(sweep)
    continued = run(make_sweep(trials=12))
    numbers = [record.number for record in continued.records]
    ended = {record.number: (record.outcome, len(record.measurements)) for record in continued.records}

    shutil.rmtree(tmp_path / "studies")
    continued.study.close()
    for file in tmp_path.glob("optuna.db*"):
        file.unlink()
    undisturbed = run(make_sweep(trials=12))
    assert numbers == list(range(12))
    assert {record.number: (record.outcome, len(record.measurements)) for record in undisturbed.records} == ended


def test_study_that_lost_folders_is_refused(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=3))
    assert settle_trials(sweep.study, sweep.folder) == []
    shutil.rmtree(sweep.folder.trial(1).path)
    with pytest.raises(UsageError, match="has 3 ended trials, and 1 of their folders are gone"):
        settle_trials(sweep.study, sweep.folder)


@pytest.mark.parametrize("known", [0, 2, 5])
@pytest.mark.parametrize("branches", [None, (branch("small"), branch("large"))])
def test_database_that_is_an_earlier_copy_learns_from_the_folders_what_it_lost(
    make_sweep: MakeSweep, tmp_path: Path, known: int, branches: Any
) -> None:
    """A power cut, a backup, a replica that lags: nothing is proposed twice, and every trial keeps its setting."""
    whole = run(make_sweep(trials=12, branches=branches, place=tmp_path / "whole"))
    place = tmp_path / "lost"
    early = run(make_sweep(trials=known, branches=branches, place=place)) if known else None
    if early is not None:
        early.study.close()
        shutil.copy(place / "optuna.db", tmp_path / "copy.db")
    run(make_sweep(trials=9, branches=branches, place=place)).study.close()
    for file in place.glob("optuna.db*"):
        file.unlink()
    if known:
        shutil.copy(tmp_path / "copy.db", place / "optuna.db")

    sweep = make_sweep(trials=12, branches=branches, place=place)
    assert settle_trials(sweep.study, sweep.folder) == list(range(known, 9))
    run(sweep)
    trained = [job for job in sweep.executor.jobs if job.startswith("trial-")]  # type: ignore[attr-defined]
    assert trained == ["trial-0009", "trial-0010", "trial-0011"]
    assert [record.proposal for record in sweep.records] == [record.proposal for record in whole.records]
    assert [record.outcome for record in sweep.records] == [record.outcome for record in whole.records]


def test_folder_that_tells_of_another_setting_or_leaves_a_gap_is_refused(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=3))
    specs = [sweep.folder.trial(number).spec_file for number in range(3)]
    kept = specs[2].read_text(encoding="utf-8")
    specs[2].write_text(specs[1].read_text(encoding="utf-8").replace('"number": 1', '"number": 2'), encoding="utf-8")
    with pytest.raises(UsageError, match=r"trial 2 has another setting in its folder than in optuna\.db"):
        settle_trials(sweep.study, sweep.folder)
    specs[2].write_text(kept, encoding="utf-8")
    lone = sweep.folder.trial(5)
    lone.path.mkdir()
    lone.spec_file.write_text(kept.replace('"number": 2', '"number": 5'), encoding="utf-8")
    with pytest.raises(UsageError, match=r"it has a trial 5, but neither a folder nor optuna\.db has 3"):
        settle_trials(sweep.study, sweep.folder)


def test_complete_study_starts_nothing_when_run_again(make_sweep: MakeSweep) -> None:
    run(make_sweep(trials=6))
    again = make_sweep(trials=6)
    again.search()
    assert again.executor.num_submitted == 0  # type: ignore[attr-defined]
    assert len(again.records) == 6


def test_space_whose_settings_have_all_been_tried_ends_the_study_and_says_so(make_sweep: MakeSweep) -> None:
    small = replace(branch(), space=Space({"strategy.rank": Choice((4, 8))}))
    sweep = run(make_sweep(trials=5, branches=(small,)))
    assert [record.number for record in sweep.records] == [0, 1]
    assert sweep.monitor.note == "All 2 settings of the space have been tried."
    again = make_sweep(trials=5, branches=(small,))
    again.search()
    assert again.executor.num_submitted == 0  # type: ignore[attr-defined]


def test_larger_budget_goes_on_with_the_same_study(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=6))
    more = run(make_sweep(trials=10))
    assert len(more.records) == 10
    assert more.records[:6] == first.records


def test_trial_whose_worker_is_lost_is_continued_and_counted_once(make_sweep: MakeSweep) -> None:
    lost = []

    def curve(spec: dict[str, Any], rung: int) -> Any:
        if rung == 5 and spec["number"] not in lost:
            lost.append(spec["number"])
            return {"type": "lost", "reason": "worker 0 was killed by SIGKILL", "log_tail": ""}
        return loss_curve(spec, rung)

    sweep = run(make_sweep(curve, trials=8))
    assert lost
    assert len(sweep.records) == 8
    assert all(record.outcome is not None for record in sweep.records)
    assert kinds(sweep)[OutcomeKind.FAILED] == 0
    recorded: Any = sweep.recorder
    assert len([number for number, _ in recorded.ended if number >= 0]) == 8
    told = sweep.folder.lost_workers()
    assert [entry["job"] for entry in told] == [f"trial-{number:04d}" for number in lost]
    assert told[0]["reason"] == "worker 0 was killed by SIGKILL"
    assert sweep.snapshot("").note.endswith(f"the last over trial-{lost[-1]:04d}: worker 0 was killed by SIGKILL.")
    assert sweep.note == "", "why the study ended is another matter"


def test_trial_that_keeps_losing_workers_fails_and_the_study_goes_on(make_sweep: MakeSweep) -> None:
    def curve(spec: dict[str, Any], rung: int) -> Any:
        if spec["number"] == 2 and rung == 1:
            return {"type": "lost", "reason": "killed by SIGSEGV", "log_tail": "the end"}
        return loss_curve(spec, rung)

    sweep = run(make_sweep(curve, trials=5))
    outcome = sweep.trials.by_number[2].outcome
    assert outcome is not None
    assert (outcome.kind, outcome.error_class, outcome.log_tail) == (OutcomeKind.FAILED, "WorkerLost", "the end")
    assert kinds(sweep)[OutcomeKind.FAILED] == 1
    assert len(sweep.records) == 5


def failed(message: str) -> dict[str, Any]:
    return {
        "type": "failed",
        "kind": "user",
        "error_class": "ValueError",
        "message": message,
        "where": "my_task.py:12",
        "traceback": "",
    }


def test_one_bad_trial_does_not_end_the_study(make_sweep: MakeSweep) -> None:
    sweep = run(
        make_sweep(lambda spec, rung: failed("no") if spec["number"] == 1 else loss_curve(spec, rung), trials=5)
    )
    assert kinds(sweep) == {OutcomeKind.COMPLETE: 4, OutcomeKind.FAILED: 1}


def test_same_error_in_three_trials_stops_the_study_with_one_report(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(lambda spec, rung: failed("label 'x' is unknown"), trials=10)
    with pytest.raises(StudyError, match=r"3 trials failed with the same error.*label 'x' is unknown") as caught:
        run(sweep)
    assert "my_task.py:12" in str(caught.value)
    assert len(sweep.records) == 3


def test_infeasible_and_diverged_trials_end_and_are_never_best(make_sweep: MakeSweep) -> None:
    def curve(spec: dict[str, Any], rung: int) -> Any:
        if spec["number"] == 1:
            return Outcome(OutcomeKind.INFEASIBLE, "out of memory at micro-batch size 1")
        if spec["number"] == 2 and rung == 3:
            return Outcome(OutcomeKind.DIVERGED, "the loss became NaN")
        return loss_curve(spec, rung)

    sweep = run(make_sweep(curve, trials=8))
    assert sweep.trials.by_number[1].outcome.kind is OutcomeKind.INFEASIBLE  # type: ignore[union-attr]
    assert sweep.trials.by_number[2].outcome.kind is OutcomeKind.DIVERGED  # type: ignore[union-attr]
    conclusion = sweep.conclude()
    assert conclusion.number not in {None, 1, 2}


def test_test_split_is_measured_once_for_one_winner(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=5))
    first = sweep.conclude()
    tests = [name for name in sweep.executor.jobs if name.startswith("test-")]  # type: ignore[attr-defined]
    assert tests
    assert sweep.conclude().test == first.test
    assert [name for name in sweep.executor.jobs if name.startswith("test-")] == tests  # type: ignore[attr-defined]
    assert first.test_looks == 1


def test_winner_that_gained_nothing_over_its_base_is_told_so(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(lambda spec, rung: {"validation/loss": 2.5, "train/loss": 1.0}, trials=2))
    assert "(no better than the untouched base 2)" in sweep.conclude().sentence


def test_winner_is_held_against_the_default_of_its_own_branch(make_sweep: MakeSweep) -> None:
    branches = (branch("full", rate=1e-3), branch("lora", rate=1e-2))
    conclusion = run(make_sweep(trials=2, branches=branches)).conclude()
    assert "branch full is chosen" in conclusion.sentence  # its own default setting
    assert "trial-0001" in conclusion.test
    assert "default setting" not in conclusion.sentence


def test_study_without_any_complete_trial_says_why(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(lambda spec, rung: Outcome(OutcomeKind.INFEASIBLE, "out of memory"), trials=3))
    conclusion = sweep.conclude()
    assert conclusion.model is None
    assert "3" in conclusion.sentence
    assert "memory" in conclusion.sentence


def test_worker_hours_count_what_earlier_processes_used(make_sweep: MakeSweep) -> None:
    run(make_sweep(trials=50, worker_hours=0.05))
    again = make_sweep(trials=50, worker_hours=0.05)
    again.search()
    assert again.executor.num_submitted == 0  # type: ignore[attr-defined]


def test_disk_budget_starts_no_new_trial(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=50, disk_gib=1e-9))
    assert len(sweep.records) == 0


def test_branches_each_get_their_start_and_keep_their_params_apart(make_sweep: MakeSweep) -> None:
    branches = (branch("full", rate=1e-4), branch("lora", rate=1e-2))
    sweep = run(make_sweep(trials=12, branches=branches))
    by_branch = Counter(record.proposal.branch for record in sweep.records)
    assert min(by_branch["full"], by_branch["lora"]) >= 3
    for record in sweep.records:
        names = set(record.proposal.params) - {"branch"}
        assert names == {
            f"{record.proposal.branch}.training.learning_rate",
            f"{record.proposal.branch}.strategy.rank",
        }
    assert [record.proposal.is_default for record in sweep.records[:2]] == [True, True]


def test_losers_keep_no_weights(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=12))
    best = sweep.snapshot("").best
    assert best is not None
    kept = [record.number for record in sweep.records if sweep.folder.trial(record.number).best.exists()]
    assert set(kept) == {0, best.number}


def test_recorder_hears_of_every_rung_and_every_ending_once(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=6, workers=2))
    recorded: Any = sweep.recorder
    assert sorted(number for number, _ in recorded.ended if number >= 0) == list(range(6))
    assert len(recorded.measured) == len(set(recorded.measured)) == sum(len(r.measurements) for r in sweep.records)
