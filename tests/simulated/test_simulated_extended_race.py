"""A study that goes on after its choice: whoever raced before races on, beside the new best."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from simulated_parts import Killed, concluded_through_kills, timeless

from ftsweep.analysis.conclusion import said_in_full
from ftsweep.control.live_study import LiveStudy
from ftsweep.control.run import _as_it_is
from ftsweep.recording.background import BackgroundRecorder
from ftsweep.store.result import read_result

MakeSweep = Callable[..., LiveStudy]


def curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
    """Trials 1 to 5 are better on average than they look in the search, those of the longer study are worse."""
    seed, is_good = spec["config"]["seed"]["model"], 1 <= spec["number"] < 6
    value = 3.0 - 0.1 * rung - 0.01 * spec["number"] + 0.02 * (seed * 5 % 7)
    value -= 0.5 * (is_good and seed > 1000) + 0.3 * (spec["number"] > 5 and seed < 1000)
    return {"validation/loss": value, "train/loss": value - 0.1}


def shorter(make_sweep: MakeSweep, place: Path) -> None:
    sweep = make_sweep(curve, trials=6, top=2, seeds=3, share=0.9, row_noise=0.02, place=place)
    sweep.prepare()
    sweep.search()
    assert {each.number for each in sweep.conclude().contenders} == {4, 5, 0}


def longer(make_sweep: MakeSweep, place: Path, workers: int = 1, share: float = 1.0) -> LiveStudy:
    sweep = make_sweep(curve, trials=14, top=2, seeds=3, share=share, row_noise=0.02, place=place, workers=workers)
    sweep.prepare()
    sweep.search()
    return sweep


def fresh_runs(sweep: LiveStudy) -> set[tuple[int, int]]:
    return {key for key in sweep.folder.fresh_runs() if sweep.folder.run(*key).outcome() is not None}


def spent(sweep: LiveStudy) -> float:
    return sum(record.measurements[-1].num_tokens for record in sweep.folder.confirmed())


def test_the_new_best_are_held_against_those_that_raced_before(make_sweep: MakeSweep, tmp_path: Path) -> None:
    shorter(make_sweep, tmp_path)
    sweep = longer(make_sweep, tmp_path)
    before = fresh_runs(sweep)
    result = sweep.conclude()
    setting = result.setting
    assert setting is not None
    raced = {each.number: each for each in setting.contenders}
    newest = max(raced)
    assert newest > 5
    assert {0, 4, 5} < set(raced)
    assert setting.contenders[0].number in (4, 5)
    assert raced[newest].behind is not None
    assert raced[newest].behind.is_sure
    assert before < fresh_runs(sweep)
    assert {number for number, _ in fresh_runs(sweep) - before} >= {newest}
    assert spent(sweep) <= sum(record.measurements[-1].num_tokens for record in sweep.records)


def test_what_was_spent_before_is_spent(make_sweep: MakeSweep, tmp_path: Path) -> None:
    shorter(make_sweep, tmp_path)
    sweep = longer(make_sweep, tmp_path, share=0.3)
    before = fresh_runs(sweep)
    assert spent(sweep) > 0.3 * sum(record.measurements[-1].num_tokens for record in sweep.records)
    result = sweep.conclude()
    assert fresh_runs(sweep) == before
    assert {each.number for each in result.contenders} == {number for number, _ in before}
    (not_again,) = [
        text for text in said_in_full(result, sweep.records, sweep.config.objective) if "Not in the race" in text
    ]
    assert not {"0", "4", "5"} & set(re.findall(r"\d+", not_again))


def test_kills_in_a_race_that_goes_on_change_nothing_of_the_choice(make_sweep: MakeSweep, tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        shorter(make_sweep, tmp_path / name)
    whole = longer(make_sweep, tmp_path / "whole")
    wanted = whole.conclude()
    sweep, found = concluded_through_kills(lambda workers: longer(make_sweep, tmp_path / "killed", workers))
    assert timeless(found) == timeless(wanted)
    assert fresh_runs(sweep) == fresh_runs(whole)


def test_weights_that_a_kill_left_after_the_choice_go_when_it_is_opened_again(
    make_sweep: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result is written before anything is removed: a choice is not made again among fewer models."""

    def killed(*_: object) -> None:
        raise Killed

    shorter(make_sweep, tmp_path)
    sweep = longer(make_sweep, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("ftsweep.control.conclude.let_go", killed)
        with pytest.raises(Killed):
            sweep.conclude()
    result = read_result(sweep.folder)
    assert result is not None
    assert result.model is not None
    left = [key for key in sweep.folder.fresh_runs() if sweep.folder.run(*key).best.is_dir()]
    assert len(left) > 1
    again = longer(make_sweep, tmp_path)
    again.folder.report_file.write_text("a report")
    _as_it_is(again, BackgroundRecorder(again.recorder), result)
    kept = [key for key in sweep.folder.fresh_runs() if sweep.folder.run(*key).best.is_dir()]
    assert kept == [key for key in left if key == (result.model.number, result.model.seed)]
