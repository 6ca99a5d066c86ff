"""A pruner that pauses trials: they give their lanes away, go on exactly where they stood, and are never forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from optuna.trial import TrialState
from simulated_parts import loss_curve

from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.decision import GO_ON, Decision, Pause
from ftsweep.domain.trial import OutcomeKind
from ftsweep.errors import StudyError
from ftsweep.search.pruners import Pruner
from ftsweep.search.pruners.curves import Curves
from ftsweep.store.requests import Requests

MakeSweep = Callable[..., LiveStudy]
PAUSED_AT = 3


class Promotion(Pruner):
    """Pauses every trial at rung 3; once `enough` of them wait, the best one goes on."""

    def __init__(self, enough: int) -> None:
        self.enough = enough

    def _decide(self, curves: Curves, number: int, rung: int) -> Decision:
        return Pause(f"It waits at rung {rung} to be promoted.") if rung == PAUSED_AT else GO_ON

    def resume(self, curves: Curves, paused: Mapping[int, int]) -> int | None:
        if len(paused) < self.enough:
            return None
        return min(paused, key=lambda number: curves.score(number, paused[number]) or 0.0)


class Wrong(Promotion):
    """Resumes a trial that nobody paused."""

    def resume(self, curves: Curves, paused: Mapping[int, int]) -> int | None:
        return 0


def run(sweep: LiveStudy) -> LiveStudy:
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()
    return sweep


def submissions(sweep: LiveStudy) -> list[int]:
    executor: Any = sweep.executor
    return [int(job.removeprefix("trial-")) for job in executor.jobs if job.startswith("trial-")]


def curves_of(sweep: LiveStudy) -> dict[int, list[Any]]:
    return {record.number: [each.values for each in record.measurements] for record in sweep.records}


@pytest.mark.parametrize("workers", [1, 3])
def test_paused_trial_is_resumed_where_it_stood_and_measures_what_it_would_have(
    make_sweep: MakeSweep, workers: int
) -> None:
    sweep = run(make_sweep(trials=9, workers=workers, pruner=Promotion(enough=4)))
    assert [record.number for record in sweep.records] == list(range(9))
    assert {record.outcome.kind for record in sweep.records if record.outcome} == {OutcomeKind.COMPLETE}
    resumed = {number for number in range(9) if submissions(sweep).count(number) == 2}
    assert resumed == {record.number for record in sweep.records if record.is_complete} - {0}
    assert len(resumed) == 5, "of the eight that were paused, three were never enough"
    for record in sweep.records:
        expected = [loss_curve(sweep.folder.trial(record.number).spec(), each.rung) for each in record.measurements]
        assert [each.values for each in record.measurements] == expected
        assert [each.rung for each in record.measurements] == list(range(len(record.measurements)))
    paused = [record for record in sweep.records if not record.is_complete]
    assert all(record.measurements[-1].rung == PAUSED_AT for record in paused)
    assert {record.pause.sentence for record in paused if record.pause} == {
        "paused at rung 3: It waits at rung 3 to be promoted."
    }


def test_lane_of_a_paused_trial_goes_to_a_new_one(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=5, workers=1, pruner=Promotion(enough=2)))
    assert submissions(sweep)[:4] == [
        0,
        1,
        2,
        min((1, 2), key=lambda n: curves_of(sweep)[n][PAUSED_AT]["validation/loss"]),
    ]


@pytest.mark.parametrize("stop_after", [18, 22, 31, 40])
def test_killed_process_leaves_paused_trials_paused(make_sweep: MakeSweep, tmp_path: Any, stop_after: int) -> None:
    class Killed(BaseException):
        pass

    whole = run(make_sweep(trials=7, pruner=Promotion(enough=3)))
    (tmp_path / "killed").mkdir()
    killed = make_sweep(trials=7, pruner=Promotion(enough=3), place=tmp_path / "killed")
    executor: Any = killed.executor
    poll, left = executor.poll, [stop_after]

    def dying(timeout: float) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return poll(timeout)

    executor.poll = dying
    with pytest.raises(Killed):
        run(killed)
    paused = set(killed.trials.paused)
    again = make_sweep(trials=7, pruner=Promotion(enough=3), place=tmp_path / "killed")
    again.trials.recover()
    assert set(again.trials.paused) >= paused, "what was paused still is"
    shown = {trial.number: trial.state for trial in again.study._proposer._seen_all.trials()}
    assert {shown[number] for number in again.trials.paused} <= {TrialState.PRUNED}, "so the sampler sees them"
    again = run(make_sweep(trials=7, pruner=Promotion(enough=3), place=tmp_path / "killed"))
    assert curves_of(again) == curves_of(whole)
    assert [record.outcome for record in again.records] == [record.outcome for record in whole.records]


def test_limit_of_time_leaves_paused_trials_for_the_run_that_goes_on(make_sweep: MakeSweep) -> None:
    sweep = run(make_sweep(trials=8, wall_minutes=2, pruner=Promotion(enough=4)))
    waiting = [record.number for record in sweep.records if record.outcome is None]
    assert set(sweep.trials.paused) & set(waiting)
    again = run(make_sweep(trials=8, pruner=Promotion(enough=4)))
    assert all(record.is_complete or record.pause is not None for record in again.records)
    assert sum(record.is_complete for record in again.records) == 5


def test_paused_trial_is_stopped_by_request(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=4, pruner=Promotion(enough=9))
    executor: Any = sweep.executor
    poll = executor.poll

    def asking(timeout: float) -> Any:
        if 1 in sweep.trials.paused:
            Requests(sweep.folder).ask_to_stop_trial(1)
        return poll(timeout)

    executor.poll = asking
    run(sweep)
    outcome = sweep.trials.by_number[1].outcome
    assert outcome is not None
    assert outcome.reason == "stopped by the user"


def test_pruner_that_resumes_what_is_not_paused_is_told_so(make_sweep: MakeSweep) -> None:
    with pytest.raises(StudyError, match="resumes trial 0, which is not paused"):
        run(make_sweep(trials=4, pruner=Wrong(enough=1)))
