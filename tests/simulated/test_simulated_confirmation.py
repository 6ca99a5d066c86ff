"""The best settings run again with fresh seeds, on a simulated executor."""

from __future__ import annotations

from collections.abc import Callable

from simulated_parts import branch

from ftsweep.control.jobs import Stopped
from ftsweep.control.live_study import LiveStudy
from ftsweep.store.atomic import read_json

MakeSweep = Callable[..., LiveStudy]


def test_the_best_are_run_again_with_fresh_seeds_and_the_rest_are_not(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=8, top=2, seeds=3)
    sweep.prepare()
    sweep.search()
    conclusion = sweep.conclude()
    candidates = conclusion.candidates
    assert len(candidates) == 2
    assert all(len(candidate.seeds) == 3 for candidate in candidates)
    assert conclusion.number in {candidate.number for candidate in candidates}
    folders = sorted(path.name for path in sweep.folder.confirmations.iterdir())
    assert folders == sorted(f"{c.number:04d}-{index}" for c in candidates for index in (1, 2, 3))
    own = sweep.folder.trial(candidates[0].number).spec()["config"]
    seeds = [
        read_json(sweep.folder.confirmation(candidates[0].number, index).spec_file)["config"]["seed"]["model"]
        for index in (1, 2, 3)
    ]
    assert len({own["seed"]["model"], *seeds}) == 4


def test_the_default_setting_is_run_again_though_it_is_not_among_the_best(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=8, top=1, seeds=2, branches=(branch(rate=1e-5),))
    sweep.prepare()
    sweep.search()
    candidates = sweep.conclude().candidates
    assert len(candidates) == 2
    assert [candidate.number for candidate in candidates if candidate.is_default] == [0]


def test_what_was_confirmed_is_not_run_again(make_sweep: MakeSweep) -> None:
    first = make_sweep(trials=6, top=2, seeds=2)
    first.prepare()
    first.search()
    evidence = first.conclude().candidates
    again = make_sweep(trials=6, top=2, seeds=2)
    again.prepare()
    again.search()
    again.executor.submit = None  # type: ignore[assignment]
    assert {number: len(runs) for number, runs in again.confirm().items()} == {each.number: 2 for each in evidence}


def test_a_stop_leaves_the_rest_for_the_next_process(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=6, top=2, seeds=2)
    sweep.prepare()
    sweep.search()
    shown: list[str] = []

    def watch(snapshot: object) -> None:
        shown.append(snapshot.phase)  # type: ignore[attr-defined]
        if "confirming" in shown[-1] and "1 of 4" in shown[-1]:
            sweep.stop()

    sweep.watch = watch
    try:
        sweep.confirm()
    except Stopped:
        pass
    else:
        raise AssertionError("it was not stopped")
    done = [path for path in sweep.folder.confirmations.iterdir() if (path / "outcome.json").exists()]
    assert 1 <= len(done) < 4
    again = make_sweep(trials=6, top=2, seeds=2)
    again.prepare()
    again.search()
    assert len(again.conclude().candidates) == 2


def test_no_seeds_confirm_nothing(make_sweep: MakeSweep) -> None:
    sweep = make_sweep(trials=6, top=3, seeds=0)
    sweep.prepare()
    sweep.search()
    assert sweep.conclude().evidence is None
    assert not sweep.folder.confirmations.exists()
