"""A limit on forgetting in the whole loop: who is chosen, what Optuna is told, and that a restart changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from simulated_parts import branch, loss_curve

from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.result import StudyResult
from ftsweep.domain.space import Branch
from ftsweep.domain.trial import OutcomeKind
from ftsweep.search.storage.sqlite import open_storage

MakeSweep = Callable[..., LiveStudy]
LIMIT = 0.05


def guarded(limit: float | None) -> tuple[Branch]:
    plain = branch()
    guard = {"_target_": "ftsweep.guards.Forgetting", "mode": "on", "limit": limit, "tokens": 2048}
    return (Branch(plain.name, {**plain.config, "guards": {"forgetting": guard}}, plain.space),)


def forgetful_curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
    """The best rate is 1e-3, and forgets a tenth of a nat; what forgets half of that is half a decade slower."""
    rate = spec["config"]["training"]["learning_rate"]
    forgetting = rung / 10 * max(0.0, 0.2 * (math.log10(rate) + 3.5))
    return {**loss_curve(spec, rung), "general/loss": 3 + forgetting, "general/forgetting": forgetting}


def conclude(sweep: LiveStudy) -> StudyResult:
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()
    return sweep.conclude()


def stored(tmp_path: Path) -> dict[int, dict[str, float]]:
    """The constraint that Optuna has of each complete trial."""
    study = optuna.load_study(study_name="simulated", storage=open_storage(tmp_path / "optuna.db"))
    trials = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    return {trial.number: dict(trial.constraints) for trial in trials}


def test_limit_changes_the_choice_and_the_result_says_what_it_costs(make_sweep: MakeSweep, tmp_path: Path) -> None:
    sweep = make_sweep(forgetful_curve, trials=30, branches=guarded(LIMIT), seed=3)
    found = conclude(sweep).forgetting
    assert found is not None
    chosen, free = found.chosen, found.unconstrained
    assert chosen is not None
    assert free is not None
    assert chosen.forgetting <= LIMIT < free.forgetting
    assert found.cost == pytest.approx(chosen.value - free.value)
    assert found.cost is not None
    assert found.cost > 0
    assert found.suggestion is not None
    assert found.suggestion.scale == 0.5
    complete = {record.number: record for record in sweep.records if record.is_complete}
    for number, constraints in stored(tmp_path).items():
        best = sweep.config.objective.best(complete[number].measurements)
        assert best is not None
        assert constraints["forgetting"] == pytest.approx(best.values["general/forgetting"] - LIMIT)
    assert any(record.outcome.kind is OutcomeKind.PRUNED for record in sweep.records if record.outcome)


def test_without_a_limit_the_same_search_chooses_the_forgetful_trial(make_sweep: MakeSweep) -> None:
    conclusion = conclude(make_sweep(forgetful_curve, trials=30, branches=guarded(None), seed=3))
    found = conclusion.forgetting
    assert found is not None
    assert found.chosen is not None
    assert found.chosen.forgetting > LIMIT
    assert (found.unconstrained, found.limit) == (None, None)


@pytest.mark.parametrize("crash_at", [37])
def test_study_that_was_killed_comes_to_the_same_choice(
    make_sweep: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash_at: int
) -> None:
    whole = conclude(make_sweep(forgetful_curve, trials=8, branches=guarded(LIMIT), seed=3))
    expected = stored(tmp_path)
    (tmp_path / "killed").mkdir()
    killed = make_sweep(forgetful_curve, trials=8, branches=guarded(LIMIT), seed=3, place=tmp_path / "killed")
    count = 0

    class Killed(BaseException):
        pass

    original = killed.sweep._measured

    def measured(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == crash_at:
            raise Killed
        original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(killed.sweep, "_measured", measured)
        with pytest.raises(Killed):
            conclude(killed)
    again = make_sweep(forgetful_curve, trials=8, branches=guarded(LIMIT), seed=3, place=tmp_path / "killed")
    conclusion = conclude(again)
    assert conclusion.number == whole.number
    assert conclusion.forgetting is not None
    assert whole.forgetting is not None
    sentences = tuple(each.replace(str(tmp_path / "killed"), str(tmp_path)) for each in conclusion.forgetting.sentences)
    assert replace(conclusion.forgetting, sentences=sentences) == whole.forgetting
    assert stored(tmp_path / "killed") == expected


def test_status_never_stars_a_trial_that_is_over_the_limit(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(forgetful_curve, trials=8, branches=guarded(LIMIT), seed=3)
    sweep.prepare()
    sweep.search()
    best = sweep.snapshot("searching").best
    assert best is not None
    measured = sweep.config.objective.best(best.measurements)
    assert measured is not None
    assert measured.is_feasible
