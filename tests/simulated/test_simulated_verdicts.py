"""Verdicts in the real loop: live while trials run, on record, and taken up by the next process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from simulated_parts import branch, loss_curve

from ftsweep.control.live_study import LiveStudy
from ftsweep.control.throttle import Pace
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import Proposal

MakeSweep = Callable[..., LiveStudy]
JUDGE = {"fit": {"_target_": "ftsweep.verdicts.FitVerdicts", "mode": "judge"}}


def judged_branch() -> Any:
    plain = branch()
    return replace(plain, config={**plain.config, "guards": JUDGE})


def memorising_later(spec: dict[str, Any], rung: int) -> dict[str, float]:
    """From rung 5 on the train loss lies far below the validation loss."""
    values = {key: value + 1 for key, value in loss_curve(spec, rung).items()}
    return {**values, "train/loss": 0.1 * values["validation/loss"]} if rung >= 5 else values


def run(sweep: LiveStudy) -> LiveStudy:
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()
    return sweep


def test_running_trials_are_judged_live_and_a_changed_verdict_goes_on_record(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "is_due", lambda pace: True)  # every state is shown, however long that takes
    sweep = make_sweep(memorising_later, trials=2, branches=(judged_branch(),))
    live: list[str] = []
    told: list[str] = []

    def watch(snapshot: StudyState) -> None:
        live.extend(
            snapshot.verdicts[each.number][0].label for each in snapshot.running if each.number in snapshot.verdicts
        )

    def begin_trial(proposal: Proposal, *, tags: dict[str, str], **_: Any) -> None:
        if proposal.number == 0:
            told.append(tags.get("verdict", ""))

    sweep.watch = watch
    sweep.recorder.begin_trial = begin_trial  # type: ignore[method-assign]
    run(sweep)
    assert "healthy (so far)" in live
    assert "memorising" in live
    assert told == ["", "healthy (so far)", "memorising"]
    assert sweep.folder.trial(0).verdicts()[0].label == "memorising"


def test_the_next_process_knows_the_verdicts_of_the_last_one(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=3, branches=(judged_branch(),)))
    second = make_sweep(trials=4, branches=(judged_branch(),))
    second.prepare()
    second.trials.recover()
    assert second.verdicts.found == first.verdicts.found
    assert set(second.verdicts.found) == {0, 1, 2}
