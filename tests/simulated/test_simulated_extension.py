"""A study whose space changes: trials that lie in the new one count, the others are set aside, whatever is killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from simulated_parts import branch

from ftsweep.control import extension as extension_module
from ftsweep.control.continuity import changed_data, check_extendable, manifest_of, settle_trials
from ftsweep.control.extension import settle
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.space import Branch, Choice, FloatInterval, Space
from ftsweep.domain.terms import Change
from ftsweep.errors import ConfigError
from ftsweep.store.folders import StudyFolder
from ftsweep.store.manifest import Extension, StudyManifest
from ftsweep.store.result import read_result

MakeSweep = Callable[..., LiveStudy]


def run(sweep: LiveStudy) -> LiveStudy:
    sweep.prepare()
    sweep.measure_baselines()
    sweep.search()
    return sweep


def in_space(**dimensions: Any) -> Branch:
    """The simulated branch with another space; names are the last parts of the paths."""
    space = {
        "training.learning_rate": FloatInterval(1e-5, 1e-1, log=True),
        "strategy.rank": Choice((4, 8)),
        **{
            {"rate": "training.learning_rate", "rank": "strategy.rank", "alpha": "strategy.alpha"}[name]: dimension
            for name, dimension in dimensions.items()
        },
    }
    whole = branch()
    return Branch("", whole.config, Space({path: each for path, each in space.items() if each is not None}))


def extended(make_sweep: MakeSweep, first: LiveStudy, new: Branch, **changes: Any) -> LiveStudy:
    """What `ftsweep run ... study.extend=true` does before the search."""
    config = replace(first.config, branches=(new,))
    done = settle(config, first.folder, extend(config, first.folder))
    sweep = make_sweep(branches=(new,), generation=done.extension.generation, **changes)
    settle_trials(sweep.study, sweep.folder)
    return sweep


def extend(config: Any, folder: StudyFolder) -> StudyManifest:
    """The study's manifest once its trials are taken over."""
    extension_module.extend(config, folder, manifest_of(config, told(folder)))
    return folder.manifest()


def told(folder: StudyFolder) -> Extension:
    """How the study has changed so far."""
    return folder.manifest().extension if folder.manifest_file.exists() else Extension()


def change(config: Any, first: LiveStudy) -> None:
    settle(config, first.folder, extend(config, first.folder))


def trained(sweep: LiveStudy) -> list[str]:
    executor: Any = sweep.executor
    return [job for job in executor.jobs if job.startswith("trial-")]


def test_wider_space_counts_all_earlier_trials(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=6))
    first.conclude()
    wider = in_space(rate=FloatInterval(1e-6, 1.0, log=True), rank=Choice((4, 8, 16)))
    sweep = run(extended(make_sweep, first, wider, trials=10))
    assert trained(sweep) == [f"trial-{number:04d}" for number in range(6, 10)]
    assert sweep.records[:6] == first.records
    conclusion = sweep.conclude()
    assert conclusion.num_trials == 10
    assert told(sweep.folder).set_aside == {}


def test_narrower_space_sets_trials_aside_and_gives_their_numbers_to_nobody(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=8))
    first.conclude()
    narrow = in_space(rank=Choice((8,)))
    outside = [record.number for record in first.records if record.proposal.params["strategy.rank"] != 8]
    assert 0 < len(outside) < 8
    sweep = run(extended(make_sweep, first, narrow, trials=8))
    assert len(sweep.records) == 8
    assert not set(outside) & {record.number for record in sweep.records}
    assert max(record.number for record in sweep.records) == 7 + len(outside)
    assert {record.proposal.params["strategy.rank"] for record in sweep.records} == {8}
    extension = told(sweep.folder)
    assert sorted(extension.set_aside) == sorted(map(str, outside))
    assert "strategy.rank=4 lies outside {8}" in extension.text
    assert (sweep.folder.path / "set_aside" / f"{outside[0]:04d}" / "outcome.json").exists()
    assert sweep.conclude().number not in outside


def test_new_dimension_takes_the_value_that_the_trials_had(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=5))
    grown = in_space(alpha=Choice((16, 32)))
    config = {**grown.config, "strategy": {"rank": 8, "alpha": 16}}
    for trial in first.folder.trials():  # they were made with it, as a fixed setting
        spec = trial.spec()
        spec["config"]["strategy"]["alpha"] = 16
        extension_module.write_json(trial.spec_file, spec)
    sweep = run(extended(make_sweep, first, replace(grown, config=config), trials=8))
    assert [record.proposal.params["strategy.alpha"] for record in sweep.records[:5]] == [16] * 5
    assert trained(sweep) == [f"trial-{number:04d}" for number in range(5, 8)]
    assert sweep.folder.records()[0].proposal.params["strategy.alpha"] == 16
    assert sweep.records[0].proposal.is_default


def test_removed_dimension_keeps_the_trials_that_had_its_value(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=8))
    sweep = extended(make_sweep, first, in_space(rank=None), trials=8)
    kept = [record.proposal.number for record in sweep.study.records()]
    assert kept == [record.number for record in first.records if record.proposal.params["strategy.rank"] == 8]
    assert "its strategy.rank is 4, not 8" in told(sweep.folder).text


def test_space_that_holds_no_trial_is_refused_and_nothing_changes(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=4))
    config = replace(first.config, branches=(in_space(rank=Choice((64,))),))
    with pytest.raises(ConfigError, match=r"none of the 4 trials .* strategy.rank=\d lies outside \{64\}"):
        extend(config, first.folder)
    assert not (first.folder.manifest_file).exists()
    assert len(make_sweep(trials=4).study.records()) == 4


@pytest.mark.parametrize("where", ["take_over", "write", "moved", "drop", "settled"])
def test_kill_in_the_middle_of_the_change_loses_nothing(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    class Killed(BaseException):
        pass

    def dying(*_: Any, **__: Any) -> None:
        raise Killed

    replace_file = os.replace

    def dying_after_move(source: Any, target: Any) -> None:
        replace_file(source, target)
        if "set_aside" in str(target):
            raise Killed

    first = run(make_sweep(trials=8))
    first.conclude()
    narrow = in_space(rank=Choice((8,)))
    config = replace(first.config, branches=(narrow,))
    with monkeypatch.context() as patched:
        if where == "settled":
            write = StudyManifest.write
            patched.setattr(
                StudyManifest,
                "write",
                lambda self, file: dying() if self.extension.is_settled else write(self, file),
            )
        elif where == "moved":
            patched.setattr("os.replace", dying_after_move)
        elif where == "write":
            patched.setattr(StudyManifest, "write", dying)
        else:
            patched.setattr(f"ftsweep.control.extension.{where}", dying)
        with pytest.raises(Killed):
            change(config, first)

    found = told(first.folder)
    if found.generation == 1:  # the study is as it was
        same = make_sweep(trials=8)
        settle_trials(same.study, same.folder)
        assert len(same.study.records()) == 8
        found = extend(config, first.folder).extension
    settle(config, first.folder, first.folder.manifest())
    sweep = make_sweep(trials=8, branches=(narrow,), generation=found.generation)
    settle_trials(sweep.study, sweep.folder)
    run(sweep)
    assert len(sweep.records) == 8
    assert {record.number for record in sweep.records}.isdisjoint(map(int, found.set_aside))


def test_leader_whose_weights_are_gone_is_run_again_to_the_same_values(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=10, branches=(branch(rate=1e-5),)))
    first.conclude()
    ranked = sorted(
        (r for r in first.records if r.is_complete), key=lambda r: r.measurements[-1].values["validation/loss"]
    )
    lost = ranked[1]
    rates = sorted(record.proposal.params["training.learning_rate"] for record in ranked[:2])
    assert not first.folder.trial(lost.number).best.exists()
    best, other = (record.proposal.params["training.learning_rate"] for record in ranked[:2])
    middle = (rates[0] * rates[1]) ** 0.5
    rate = FloatInterval(1e-5, middle, log=True) if best > other else FloatInterval(middle, 1e-1, log=True)
    new = replace(branch(rate=1e-5), space=Space({**branch().space.dimensions, "training.learning_rate": rate}))
    sweep = run(extended(make_sweep, first, new, trials=len(first.records) - 1))
    assert told(sweep.folder).again == (lost.number,)
    assert f"trial-{lost.number:04d}" in trained(sweep)
    assert [m.values for m in sweep.trials.by_number[lost.number].measurements] == [m.values for m in lost.measurements]
    assert sweep.folder.trial(lost.number).best.exists()


def test_former_result_is_not_taken_for_the_new_one(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=8))
    looks = first.conclude().test_looks
    sweep = extended(make_sweep, first, in_space(rank=Choice((8,))), trials=8)
    stale = read_result(sweep.folder)
    assert stale is not None
    assert stale.num_trials == 0
    assert run(sweep).conclude().test_looks >= looks


def test_second_change_after_a_first_one_that_was_killed_brings_nobody_back(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=8))
    narrow, wide = in_space(rank=Choice((8,))), in_space(rank=Choice((4, 8, 16)))
    done = extend(replace(first.config, branches=(narrow,)), first.folder)  # killed before it settled
    aside = done.extension.set_aside
    change(replace(first.config, branches=(wide,)), first)
    sweep = make_sweep(trials=8, branches=(wide,), generation=3)
    settle_trials(sweep.study, sweep.folder)
    assert len(sweep.study.records()) == 8 - len(aside)
    run(sweep)
    assert len(sweep.records) == 8


def test_branch_that_is_new_joins_the_trials_of_the_first_one(make_sweep: MakeSweep) -> None:
    first = run(make_sweep(trials=4))
    branches = (branch("lora"), branch("wide", rate=1e-2))
    config = replace(first.config, branches=branches)
    settle(config, first.folder, extend(config, first.folder))
    sweep = run(make_sweep(trials=8, branches=branches, generation=2))
    assert [record.proposal.branch for record in sweep.records[:4]] == ["lora"] * 4
    assert {record.proposal.branch for record in sweep.records[4:]} >= {"wide"}
    assert sweep.folder.records()[0].proposal.params["lora.strategy.rank"] == 8


def test_data_of_branches_that_were_all_renamed_is_still_compared() -> None:
    assert changed_data({"main": "a"}, {"lora": "a", "wide": "a"}) == []
    assert changed_data({"main": "a"}, {"lora": "b"}) == ["lora"]
    assert changed_data({"lora": "a"}, {"lora": "a", "wide": "b"}) == []
    assert changed_data({"lora": "a", "gone": "a"}, {"lora": "b"}) == ["lora"]


@pytest.mark.parametrize(
    "change",
    ["objective.metric", "rungs", "branches.main.config.data.train"],
)
def test_change_after_which_nothing_can_be_compared_is_refused(change: str, tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be compared"):
        check_extendable([Change(change, "was 1, is now 2")], "mine", tmp_path)
    check_extendable([Change("branches.main.space.training.data", "was [1 .. 2]")], "mine", tmp_path)
