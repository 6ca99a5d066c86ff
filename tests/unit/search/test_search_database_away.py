"""Optuna's database locked, read-only or moved: a clear error in time, and nothing lost when it is back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, FloatInterval, Space
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import StudyError
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import Tpe
from ftsweep.search.storage import database
from ftsweep.search.storage import sqlite as storage
from ftsweep.search.study import Study

BRANCH = Branch("", {"x": 0.5}, Space({"x": FloatInterval(0.0, 1.0)}))


@contextmanager
def opened(path: Path) -> Iterator[Study]:
    with closing(Study.open(path, "s", Objective(), [BRANCH], Tpe(), NoPruner(), seed=0, num_rungs=2)) as study:
        yield study


def measured(rung: int) -> Measurement:
    return Measurement(rung, rung / 2, 0, 0, 0.0, 0.0, {"validation/loss": 1.0 / rung})


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)


def test_database_that_stays_locked_is_told_with_its_place_and_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    with opened(path) as study:
        assert study.ask() is not None
        study.report(0, measured(1))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for write in (
                study.ask,
                lambda: study.report(0, measured(2)),
                lambda: study.tell(0, Outcome(OutcomeKind.COMPLETE)),
            ):
                with pytest.raises(
                    StudyError, match=r"optuna\.db.*database is locked \(for 0\.2 .*run the same command again"
                ):
                    write()
            assert [trial.values for trial in study.records()] == [{1: 1.0}]
            other.execute("ROLLBACK")
        study.report(0, measured(2))
    with opened(path) as study:
        assert study.num_asked == 1
        assert study.running() == [study.records()[0].proposal]
        assert study.records()[0].values == {1: 1.0, 2: 0.5}
        study.tell(0, Outcome(OutcomeKind.COMPLETE))
        assert study.running() == []


def test_database_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    with opened(path) as study:
        study.ask()
        event.listen(study._storage._database.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA query_only=1"))
        with pytest.raises(StudyError, match="readonly database"):
            study.report(0, measured(1))


def test_database_that_was_moved_meanwhile_has_everything_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    with opened(path) as study:
        study.ask()
        for file in tmp_path.glob("optuna.db*"):
            file.rename(tmp_path / f"away-{file.name}")
        study.report(0, measured(1))
        study.tell(0, Outcome(OutcomeKind.COMPLETE))
    for file in tmp_path.glob("away-*"):
        file.rename(tmp_path / file.name.removeprefix("away-"))
    with opened(path) as study:
        assert study.running() == []
        assert study.records()[0].values == {1: 1.0}


def test_kill_between_a_table_and_its_index_leaves_no_half_made_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("CREATE UNIQUE INDEX ix_studies_study_name"):
            raise Killed

    path = tmp_path / "optuna.db"
    event.listen(Engine, "before_cursor_execute", die)
    try:
        with pytest.raises(Killed), opened(path):
            pass
    finally:
        event.remove(Engine, "before_cursor_execute", die)
    assert not path.exists()
    for _ in range(2):
        with opened(path):
            pass
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM studies").fetchall() == [(1,)]
    assert sorted(each.name for each in tmp_path.glob("*")) == ["optuna.db"]


def test_database_that_is_locked_while_a_study_is_opened_is_told_in_a_paragraph(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    with opened(path):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StudyError, match=r"database is locked"), opened(path):
            pass
        other.execute("ROLLBACK")
    with opened(path):
        pass
