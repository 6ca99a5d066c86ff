"""What a sampler is shown of a long study: a bounded number of trials, whatever the order in which they ended."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from ftsweep.search.trial_window import NUM_BEST, NUM_LATEST, SeenTrials


def trial_of(number: int, value: float, state: TrialState = TrialState.COMPLETE, **settings: object) -> FrozenTrial:
    trial = create_trial(state=state, value=value if state == TrialState.COMPLETE else None, **settings)  # type: ignore[arg-type]
    trial.number = number
    return trial


def shown(trials: Iterable[FrozenTrial], direction: StudyDirection = StudyDirection.MINIMIZE) -> list[int]:
    seen = SeenTrials(direction)
    for trial in trials:
        seen.begin(trial)
        seen.end(trial.number)
    return [trial.number for trial in seen.trials()]


def test_short_study_is_shown_whole_but_for_failed_trials() -> None:
    trials = [trial_of(number, 1.0) for number in range(50)]
    trials[7].state = TrialState.FAIL
    assert shown(trials) == [number for number in range(50) if number != 7]


@pytest.mark.parametrize("direction", list(StudyDirection)[1:])
def test_long_study_is_shown_by_its_best_and_its_latest(direction: StudyDirection) -> None:
    values = [random.Random(number).random() for number in range(3000)]
    trials = [trial_of(number, value) for number, value in enumerate(values)]
    is_least = direction == StudyDirection.MINIMIZE
    best = sorted(range(3000), key=lambda number: values[number], reverse=not is_least)[:NUM_BEST]
    assert shown(trials, direction) == sorted({*best, *range(3000 - NUM_LATEST, 3000)})


def test_choice_does_not_depend_on_the_order_of_endings() -> None:
    trials = [trial_of(number, random.Random(number).random()) for number in range(2000)]
    mixed = random.Random(0).sample(trials, len(trials))
    seen = SeenTrials(StudyDirection.MINIMIZE)
    for trial in trials:
        seen.begin(trial)
    for trial in mixed:
        seen.end(trial.number)
        seen.trials()
    assert [trial.number for trial in seen.trials()] == shown(trials)


def test_running_trials_are_all_shown() -> None:
    seen = SeenTrials(StudyDirection.MINIMIZE)
    for number in range(900):
        seen.begin(trial_of(number, 0.0, TrialState.RUNNING))
    assert len(seen.trials()) == 900


def test_pruned_trials_rank_behind_complete_ones_and_infeasible_ones_last() -> None:
    infeasible = trial_of(0, 0.0, constraints={"infeasible": 1.0})
    late = trial_of(1, 0.0, TrialState.PRUNED, intermediate_values={1: 0.1, 2: 0.5})
    early = trial_of(2, 0.0, TrialState.PRUNED, intermediate_values={1: 0.1})
    complete = trial_of(3, 9.0)
    seen = SeenTrials(StudyDirection.MINIMIZE)
    for trial in (infeasible, late, early, complete):
        seen.begin(trial)
        seen.end(trial.number)
    assert [number for *_, number in seen._best] == [3, 1, 2, 0]


def test_a_paused_trial_is_shown_as_pruned_where_it_waits_until_it_goes_on() -> None:
    seen = SeenTrials(StudyDirection.MINIMIZE)
    trial = trial_of(0, 0.0, TrialState.RUNNING, intermediate_values={3: 1.5})
    seen.begin(trial)
    seen.pause(0)
    (paused,) = seen.trials()
    assert (paused.state, paused.last_step, trial.state) == (TrialState.PRUNED, 3, TrialState.RUNNING)
    seen.pause(0, is_over=True)
    assert [each.state for each in seen.trials()] == [TrialState.RUNNING]
    seen.pause(0)
    trial.state, trial.value = TrialState.COMPLETE, 1.0
    seen.end(0)
    seen.pause(0, is_over=True)
    assert [each.state for each in seen.trials()] == [TrialState.COMPLETE]


def test_of_many_paused_trials_the_best_and_the_latest_are_shown_and_any_may_go_on() -> None:
    seen = SeenTrials(StudyDirection.MINIMIZE)
    for number in range(2000):
        seen.begin(trial_of(number, 0.0, TrialState.RUNNING, intermediate_values={3: abs(number - 700.0)}))
        seen.pause(number)
    shown = [trial.number for trial in seen.trials()]
    assert shown == [*range(650, 750), *range(1600, 2000)]
    seen.pause(5, is_over=True)
    assert [trial.number for trial in seen.trials() if trial.state == TrialState.RUNNING] == [5]
