"""The best settings run again with fresh seeds, in a race, on a simulated executor."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from simulated_parts import Killed, branch, concluded_through_kills, loss_curve, timeless

from ftsweep.analysis.conclusion import said_in_full
from ftsweep.control.jobs import Stopped
from ftsweep.control.live_study import LiveStudy
from ftsweep.control.run import _is_complete
from ftsweep.domain.messages import Message
from ftsweep.domain.study_state import StudyState
from ftsweep.domain.trial import OutcomeKind
from ftsweep.store.atomic import read_json
from ftsweep.store.result import model_folder, read_result
from ftsweep.testing.simulated import SimulatedExecutor

MakeSweep = Callable[..., LiveStudy]
RACE = {"trials": 12, "top": 3, "seeds": 3, "row_noise": 0.02}


def seeded_curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
    """Losses that a seed moves by a tenth or so; rates within a factor of ten of the best one are equal."""
    seed = spec["config"]["seed"]["model"]
    luck = random.Random(f"{seed} {spec['number']}").gauss(0, 0.1)
    base = loss_curve(spec, rung)["validation/loss"]
    floor = base - 2.0 / (1 + rung)
    value = base - min(floor, 1.0) + luck
    return {"validation/loss": value, "train/loss": value - 0.1}


def searched(make_sweep: MakeSweep, curve: Any = seeded_curve, **settings: Any) -> LiveStudy:
    sweep = make_sweep(curve, **{**RACE, **settings})
    sweep.prepare()
    sweep.search()
    return sweep


def runs_of(sweep: LiveStudy) -> list[str]:
    return sorted(path.name for path in sweep.folder.confirmations.glob("*") if (path / "outcome.json").exists())


def weights_of(sweep: LiveStudy) -> set[str]:
    return {path.parent.name for path in sweep.folder.confirmations.glob("*/best")}


def test_contenders_and_the_default_race_with_fresh_seeds_within_the_budget(make_sweep: MakeSweep) -> None:
    sweep = searched(make_sweep)
    conclusion = sweep.conclude()
    setting = conclusion.setting
    assert setting is not None
    assert {each.number for each in setting.contenders if each.is_default} == {0}
    assert all(1 <= len(each.seeds) <= 3 for each in setting.contenders)
    assert setting.number in {each.number for each in setting.contenders}
    assert 0 < setting.share <= 0.5
    number = setting.contenders[0].number
    own = sweep.folder.trial(number).spec()["config"]["seed"]["model"]
    seeds = [sweep.folder.confirmation(number, index).spec()["config"]["seed"]["model"] for index in (1,)]
    assert own not in seeds


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.2, 2), (5.0, 12)])
def test_a_share_of_the_searchs_training_is_what_the_race_may_cost(
    make_sweep: MakeSweep, share: float, count: int
) -> None:
    sweep = searched(make_sweep, lambda spec, rung: loss_curve(spec, rung), share=share, trials=12)
    sweep.conclude()
    total = sum(record.measurements[-1].num_tokens for record in sweep.records)
    spent = sum(record.measurements[-1].num_tokens for record in sweep.folder.confirmed())
    assert spent <= share * total
    assert len(runs_of(sweep)) <= count
    assert bool(runs_of(sweep)) == bool(count)


def test_a_share_that_pays_for_no_run_is_told_and_the_one_that_is_named_does(make_sweep: MakeSweep) -> None:
    first = searched(make_sweep, share=0.01)
    conclusion = first.conclude()
    assert runs_of(first) == []
    said = re.fullmatch(
        r"The choice was made without fresh seeds: "
        r"a run of trial (\d+)'s setting costs (\d+)% of the search's training, "
        r"and selection\.budget allows 1%\. selection\.budget=(\S+) has it race trial 0's\.",
        conclusion.note,
    )
    assert said, conclusion.note
    again = searched(make_sweep, share=float(said[3]))
    assert not _is_complete(again, conclusion)
    assert again.conclude().note == ""
    assert runs_of(again) == sorted([f"{int(said[1]):04d}-1", "0000-1"])


def test_the_share_that_is_named_is_the_least_that_pays(make_sweep: MakeSweep) -> None:
    """Of two trials both must be paid for again: all of the search's training, and no hundredth more."""
    conclusion = searched(make_sweep, lambda spec, rung: loss_curve(spec, rung), share=0.01, trials=2).conclude()
    assert "selection.budget=1 has it race" in conclusion.note


def test_fresh_runs_that_came_to_nothing_are_told(make_sweep: MakeSweep) -> None:
    def curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
        value = 1.0 + 0.01 * spec["number"] + (9.0 if spec["config"]["seed"]["model"] > 1000 else 0.0)
        return {"validation/loss": value, "train/loss": value}

    sweep = searched(make_sweep, curve)
    conclusion = sweep.conclude()
    made = runs_of(sweep)
    assert conclusion.setting is None
    assert conclusion.note.startswith(f"{len(made)} runs with fresh seeds were made, and no setting kept a value")
    assert "is far behind the worst run so far" in conclusion.note
    said = " ".join(said_in_full(conclusion, sweep.records, sweep.config.objective))
    assert "run again" not in said, "there were such runs"


def test_no_share_at_all_is_no_news(make_sweep: MakeSweep) -> None:
    assert searched(make_sweep, share=0.0).conclude().note == ""


def test_the_best_model_in_hand_is_handed_over_though_it_is_a_fresh_run(make_sweep: MakeSweep) -> None:
    def curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
        values = seeded_curve(spec, rung)
        is_lucky = spec["number"] == 0 and spec["config"]["seed"]["model"] == 1001
        return {name: value - (1.0 if is_lucky else 0.0) for name, value in values.items()}

    sweep = searched(make_sweep, curve)
    jobs = watched_jobs(sweep)
    conclusion = sweep.conclude()
    model = conclusion.model
    assert model is not None
    assert (model.number, model.seed, model.name) == (0, 1, "trial-0000-1")
    assert "trial-0000-1" in conclusion.test
    (export,) = [job for job in jobs if job["type"] == "export"]
    assert export["folder"] == str(sweep.folder.confirmation(0, 1).path.absolute())
    assert export["destination"] == str(model_folder(sweep.folder).absolute())
    assert next(job["folder"] for job in jobs if job["type"] == "test") == export["folder"]
    assert weights_of(sweep) == {"0000-1"}, "of fresh runs the model's weights stay, and no others"
    assert "Trial 0 with fresh seed 1 is chosen" in conclusion.sentence
    assert read_result(sweep.folder) == conclusion


def watched_jobs(sweep: LiveStudy) -> list[Message]:
    jobs: list[Message] = []
    submit = sweep.executor.submit

    def watched(job: Message) -> None:
        jobs.append(job)
        submit(job)

    sweep.executor.submit = watched  # type: ignore[method-assign]
    return jobs


def test_every_fresh_run_keeps_its_weights_until_the_choice(make_sweep: MakeSweep) -> None:
    sweep = searched(make_sweep)
    race = sweep.confirm()
    assert weights_of(sweep) == set(runs_of(sweep))
    assert all(sweep.folder.trial(number).best.is_dir() for number in race.numbers)


def test_what_was_run_is_not_run_again_and_nothing_is_left_to_do(make_sweep: MakeSweep) -> None:
    first = searched(make_sweep)
    conclusion, runs = first.conclude(), runs_of(first)
    assert _is_complete(first, conclusion)
    model_folder(first.folder).rmdir()
    assert not _is_complete(first, conclusion), "the model is written again"
    again = searched(make_sweep)
    again.executor.submit = None  # type: ignore[assignment]
    again.confirm()
    assert runs_of(again) == runs


def test_kills_in_the_race_change_nothing_of_the_choice(make_sweep: MakeSweep, tmp_path: Any) -> None:
    """Killed after every so many messages, anywhere between the first fresh seed and the result."""
    whole = searched(make_sweep, place=tmp_path / "whole")
    wanted, runs = whole.conclude(), runs_of(whole)
    place = tmp_path / "killed"
    sweep, found = concluded_through_kills(lambda workers: searched(make_sweep, place=place, workers=workers))
    assert timeless(found) == timeless(wanted)
    assert runs_of(sweep) == runs
    assert weights_of(sweep) == weights_of(whole)


def test_a_run_that_is_hopeless_at_half_of_its_rungs_ends_and_its_setting_is_out(make_sweep: MakeSweep) -> None:
    def curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
        is_lost = spec["config"]["seed"]["model"] == 1001 and spec["number"] != 0
        return {name: value + (9.0 if is_lost else 0.0) for name, value in seeded_curve(spec, rung).items()}

    sweep = searched(make_sweep, curve, share=5.0)
    conclusion = sweep.conclude()
    ended = [run for run in sweep.folder.confirmed() if run.outcome and run.outcome.kind is OutcomeKind.PRUNED]
    others = {each.number for each in conclusion.contenders} - {0}
    assert len(others) > 1
    assert {run.number for run in ended} == others
    assert {run.measurements[-1].rung for run in ended} == {5}
    assert "far behind the worst run" in ended[0].outcome.reason  # type: ignore[union-attr]
    assert conclusion.setting is not None
    assert conclusion.setting.number == 0
    assert {each.number for each in conclusion.contenders if each.mean is None} == others


def test_a_hopeless_run_that_a_kill_left_without_an_answer_is_not_run_on(make_sweep: MakeSweep) -> None:
    def curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
        is_lost = spec["config"]["seed"]["model"] == 1001 and spec["number"] != 0
        return {name: value + (9.0 if is_lost else 0.0) for name, value in seeded_curve(spec, rung).items()}

    sweep = searched(make_sweep, curve, workers=4, share=5.0)
    reply = sweep.executor.reply

    def dying(job: str, message: Message) -> None:
        if message["type"] == "stop":
            raise Killed
        reply(job, message)

    sweep.executor.reply = dying  # type: ignore[method-assign]
    with pytest.raises(Killed):
        sweep.confirm()
    unanswered = [run for run in sweep.folder.confirmed() if run.outcome is None and run.measurements[-1].rung == 5]
    assert unanswered
    again = searched(make_sweep, curve, share=5.0)
    again.confirm()
    assert isinstance(again.executor, SimulatedExecutor)
    lost = {f"confirmation-{run.number:04d}-1" for run in unanswered if run.number != 0}
    assert lost
    assert not lost & set(again.executor.jobs)


def test_a_stop_leaves_the_rest_for_the_next_process(make_sweep: MakeSweep) -> None:
    sweep = searched(make_sweep, share=5.0)
    shown: list[str] = []

    def watch(snapshot: object) -> None:
        shown.append(snapshot.phase)  # type: ignore[attr-defined]
        if "confirming" in shown[-1] and ", 1 of" in shown[-1]:
            sweep.stop()

    sweep.watch = watch
    with pytest.raises(Stopped):
        sweep.confirm()
    done = runs_of(sweep)
    assert done
    again = searched(make_sweep, share=5.0)
    assert again.conclude().setting is not None
    assert set(done) < set(runs_of(again))


def test_no_seeds_run_nothing_again_and_the_search_chooses(make_sweep: MakeSweep) -> None:
    sweep = searched(make_sweep, seeds=0)
    conclusion = sweep.conclude()
    assert conclusion.setting is None
    assert conclusion.model is not None
    assert conclusion.model.seed == 0
    assert not runs_of(sweep)


def test_a_longer_study_does_not_lose_the_better_model_that_it_had(make_sweep: MakeSweep) -> None:
    """Its setting is not among the best any more; its weights are still the best in hand."""

    def curve(spec: dict[str, Any], rung: int) -> dict[str, float]:
        is_lucky = 1 <= spec["number"] < 6 and spec["config"]["seed"]["model"] == 1001
        gain = 3.0 if is_lucky else 0.1 * spec["number"]
        return {name: value - gain for name, value in seeded_curve(spec, rung).items()}

    first = searched(make_sweep, curve, trials=6)
    model = first.conclude().model
    assert model is not None
    assert model.seed == 1
    longer = searched(make_sweep, curve, trials=20, top=1)
    conclusion = longer.conclude()
    assert conclusion.model is not None
    assert conclusion.model.name == model.name


def test_the_default_is_raced_though_it_is_not_among_the_best(make_sweep: MakeSweep) -> None:
    sweep = searched(make_sweep, loss_curve, trials=8, top=1, branches=(branch(rate=1e-5),))
    setting = sweep.conclude().setting
    assert setting is not None
    assert [each.number for each in setting.contenders if each.is_default] == [0]
    assert read_json(sweep.folder.confirmation(0, 1).spec_file)["config"]["seed"]["model"] == 1001


def test_the_time_left_has_race_test_and_export_in_it(make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    ending = 5 * 1e6
    base = ("measuring the untouched base of main", 0.0, ending / 5)
    monkeypatch.setattr("ftsweep.control.monitor.read_phases", lambda folder: (base,))
    sweep = make_sweep(seeded_curve, **RACE)
    states: list[StudyState] = []
    sweep.monitor.watch = states.append
    sweep.prepare()
    sweep.search()
    ended = sweep.monitor.clock()
    sweep.conclude()
    searching = [state for state in states if state.phase == "searching" and state.seconds_left is not None]
    racing = [state for state in states if state.phase.startswith("confirming") and state.seconds_left is not None]
    for state in searching:
        left_of_search = ended - state.elapsed_seconds
        assert state.seconds_left is not None
        assert state.seconds_left > left_of_search * 0.5 + ending
    assert searching[-1].seconds_left is not None
    assert searching[-1].seconds_left > 0.2 * ended + ending, "what the fresh seeds may take"
    left = [state.seconds_left or 0.0 for state in racing]
    assert left == sorted(left, reverse=True)
    assert left[0] > left[-1] > ending
    told = [state.seconds_left for state in states if state.phase.startswith(("measuring trial", "exporting"))]
    assert told
    assert all(seconds is not None and 0 < seconds <= ending for seconds in told)
