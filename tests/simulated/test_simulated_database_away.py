"""A study whose database is away for a while: it says so and waits, and whoever wants to stop need not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from ftsweep.control.jobs import Stopped
from ftsweep.control.live_study import LiveStudy
from ftsweep.domain.study_state import StudyState
from ftsweep.search.storage import reaching
from ftsweep.search.storage.reaching import PatientReaching
from ftsweep.store.database_use import read_database_use

MakeSweep = Callable[..., LiveStudy]


def table(live: LiveStudy) -> list[Any]:
    """Of every trial its setting, its values and how it ended."""
    return [
        (record.number, dict(record.proposal.params), record.outcome, [each.values for each in record.measurements])
        for record in live.records
    ]


class AwayForAWhile(PatientReaching):
    """Every seventh write finds the server gone, after it arrived."""

    num_calls = 0

    def reach(self, do: Callable[[], Any], again: Callable[[], Any] | None = None) -> Any:
        self.num_calls += 1
        is_cut = self.num_calls % 7 == 0

        def cut() -> Any:
            do()
            raise OperationalError("INSERT", {}, Exception("server closed the connection"))

        return super().reach(cut if is_cut else do, again or do)


@pytest.fixture(autouse=True)
def _short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_FIRST_PAUSE_SECONDS", 0.001)


def away(live: LiveStudy) -> LiveStudy:
    patient = AwayForAWhile("postgresql://db/o", "o", on_wait=live.monitor.wait)
    live.study.database = live.study._storage.reaching = live.monitor.database.study.database = patient
    return live


def searched(live: LiveStudy) -> LiveStudy:
    live.prepare()
    live.measure_baselines()
    live.search()
    return live


def test_study_waits_says_so_and_comes_to_the_same(make_sweep: MakeSweep, tmp_path: Any) -> None:
    whole = table(searched(make_sweep(trials=8, workers=2, place=tmp_path / "whole")))
    live = away(make_sweep(trials=8, workers=2, place=tmp_path / "away"))
    notes: list[str] = []

    def watch(state: StudyState) -> None:
        notes.append(state.note)

    live.watch = watch
    assert table(searched(live)) == whole
    assert any("Optuna's database is away for 0 s, waiting for it: server closed" in note for note in notes)
    assert "away" not in notes[-1]
    live.monitor.database.note(is_last=True)
    use = read_database_use(live.folder)
    assert use is not None
    assert use.num_waits > 5
    assert use.ask.count >= 8
    assert str(use).startswith("postgresql://db/o: ask ")


def test_stop_ends_the_wait_and_the_next_run_goes_on(make_sweep: MakeSweep, tmp_path: Any) -> None:
    whole = table(searched(make_sweep(trials=8, place=tmp_path / "whole")))
    live = away(make_sweep(trials=8, place=tmp_path / "away"))

    def stop(state: StudyState) -> None:
        if "away" in state.note:
            live.stop()

    live.watch = stop
    with pytest.raises(Stopped):
        searched(live)
    assert table(searched(make_sweep(trials=8, place=tmp_path / "away"))) == whole
