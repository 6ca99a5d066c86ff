"""Thousands of trials on many workers, with everything that befalls trials: nothing is lost or counted twice."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
from simulated_parts import Calls

from ftsweep.config.schema import (
    Budget,
    RungSettings,
    SeedSettings,
    SelectionSettings,
    StoreSettings,
    StudySettings,
    SweepConfig,
)
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.importance import Importances
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import OutcomeKind
from ftsweep.search.pruners import Median
from ftsweep.search.samplers import Tpe
from ftsweep.search.study import Study
from ftsweep.store.folders import Store
from ftsweep.testing.recorded import NUM_RUNGS, Misfortunes, RecordedCurves, recorded_branch
from ftsweep.testing.simulated import SimulatedExecutor


def config_of(path: Path, trials: int) -> SweepConfig:
    return SweepConfig(
        study=StudySettings("thousands"),
        store=StoreSettings(str(path)),
        budget=Budget(trials=trials),
        seed=SeedSettings(sampler=0),
        rungs=RungSettings(NUM_RUNGS),
        objective=Objective(),
        selection=SelectionSettings(top=3, seeds=0),
        branches=(recorded_branch(),),
        executor={},
        sampler={},
        pruner={},
        recording={},
        report={},
    )


def open_study(config: SweepConfig) -> Study:
    return Study.open(
        Store(Path(config.store.path)).optuna_database,
        config.study.name,
        config.objective,
        config.branches,
        Tpe(),
        Median(),
        seed=0,
        num_rungs=NUM_RUNGS,
    )


class Lanes:
    """How many lanes had work, whenever something came from one while trials were left to start."""

    def __init__(self, executor: SimulatedExecutor, study: Study, trials: int) -> None:
        self.busy: Counter[int] = Counter()
        poll = executor.poll

        def watched(timeout_seconds: float) -> Any:
            if 0 < study.num_asked < trials:
                self.busy[executor.num_slots - executor.num_free] += 1
            return poll(timeout_seconds)

        executor.poll = watched  # type: ignore[method-assign]


SLOW = [pytest.mark.slow, pytest.mark.timeout(7200)]


@pytest.mark.parametrize(("trials", "workers"), [(300, 16), pytest.param(10_000, 64, marks=SLOW)])
def test_budget_is_exact_nothing_is_lost_or_doubled_and_the_right_trial_wins(
    tmp_path: Path, trials: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Study, "computing_importances", lambda study: nullcontext(Importances))
    config, curves = config_of(tmp_path, trials), Misfortunes(RecordedCurves())
    executor = SimulatedExecutor(curves, num_rungs=NUM_RUNGS, workers=workers)
    recorder = Calls()
    with closing(open_study(config)) as study:
        sweep = LiveStudy(config, Store(tmp_path).study("thousands"), study, executor, recorder, clock=executor.clock)
        lanes = Lanes(executor, study, trials)
        sweep.prepare()
        sweep.measure_baselines()
        sweep.search()
        conclusion = sweep.conclude()
    records = sweep.records
    assert [record.number for record in records] == list(range(trials))
    assert all(record.outcome is not None for record in records)
    assert set(lanes.busy) == {workers}, "a lane was idle while trials were left to start"

    kinds = Counter(record.outcome.kind for record in records if record.outcome)
    assert kinds[OutcomeKind.DIVERGED] == curves.met["diverged"] > 0
    assert kinds[OutcomeKind.INFEASIBLE] == curves.met["memory"] > 0
    assert kinds[OutcomeKind.FAILED] == curves.met["user error"] > 0
    assert curves.met["killed"] > 0
    assert curves.met["silent"] > 0
    assert kinds[OutcomeKind.COMPLETE] + kinds[OutcomeKind.PRUNED] == trials - sum(
        curves.met[name] for name in ("diverged", "memory", "user error")
    )
    train_jobs = Counter(job for job in executor.jobs if job.startswith("trial-"))
    begun = {number: train_jobs.pop(f"trial-{number:04d}") for number in range(trials)}
    assert not train_jobs
    assert {number for number, count in begun.items() if count == 2} <= curves.lost
    assert set(begun.values()) == {1, 2}
    not_again = [records[number].outcome for number in curves.lost if begun[number] == 1]
    assert all(outcome is not None and outcome.kind is OutcomeKind.PRUNED for outcome in not_again), (
        "at the rung where its worker was lost a trial may be pruned; else it goes on"
    )

    ended = [number for number, _ in recorder.ended if number >= 0]
    assert sorted(ended) == list(range(trials))
    measured = Counter(recorder.measured)
    assert set(measured) == {(record.number, each.rung) for record in records for each in record.measurements}
    again = {number for (number, _), count in measured.items() if count > 1}
    assert again <= curves.lost, "only of a lost worker's trial is anything said again"

    best = {
        record.number: min(
            curves.curves({"number": record.number, "params": record.proposal.params}, rung)["validation/loss"]
            for rung in range(NUM_RUNGS + 1)
        )
        for record in records
        if record.is_complete
    }
    assert conclusion.number == min(best, key=lambda number: best[number])
    weights = {record.number for record in records if sweep.folder.trial(record.number).best.exists()}
    assert weights == {0, *sorted(best, key=lambda number: best[number])[:3]}

    with closing(open_study(config)) as study:  # what a later process reads
        assert study.num_asked == trials
        assert study.running() == []
        assert {trial.proposal.number: trial.outcome.kind for trial in study.records() if trial.outcome} == {
            record.number: record.outcome.kind for record in records if record.outcome
        }
