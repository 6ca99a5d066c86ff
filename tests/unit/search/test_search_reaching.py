"""Writes to a database that goes away: made once each, whether or not the one before the cut arrived."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import IntegrityError, OperationalError

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.space import Branch, FloatInterval, Space
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import StudyError
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import Random
from ftsweep.search.storage import owned, reaching
from ftsweep.search.storage.reaching import PatientReaching
from ftsweep.search.study import Study

BRANCH = Branch("", {"x": 0.5}, Space({"x": FloatInterval(0.0, 1.0)}))
TABLES = ("trials", "trial_params", "trial_values", "trial_intermediate_values", "trial_user_attributes")


def gone() -> OperationalError:
    return OperationalError("INSERT", {}, Exception("server closed the connection unexpectedly"))


class CutOff(PatientReaching):
    """Loses the answer of every call that may not simply be made again, and of the others too; or the call itself."""

    is_arriving = True
    cuts = 0

    def reach(self, do: Callable[[], Any], again: Callable[[], Any] | None = None) -> Any:
        attempts: list[None] = []

        def cut(call: Callable[[], Any]) -> Any:
            is_first, _ = not attempts, attempts.append(None)
            if is_first and not self.is_arriving:
                raise gone()
            result = call()
            if is_first:
                type(self).cuts += 1
                raise gone()
            return result

        return super().reach(lambda: cut(do), lambda: cut(again or do))


@pytest.fixture(autouse=True)
def _short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_FIRST_PAUSE_SECONDS", 0.001)


def measured(rung: int, value: float) -> Measurement:
    return Measurement(rung, rung / 2, 0, 0, 0.0, 0.0, {"validation/loss": value})


def run_study(path: Path) -> None:
    """Every kind of write: trials of each outcome, values, attributes, constraints."""
    kinds = (OutcomeKind.COMPLETE, OutcomeKind.PRUNED, OutcomeKind.FAILED, OutcomeKind.INFEASIBLE)
    with closing(Study.open(path, "s", Objective(), [BRANCH], Random(), NoPruner(), seed=0, num_rungs=2)) as study:
        for number, kind in enumerate(kinds):
            assert study.ask() is not None
            study.report(number, measured(1, 1.0 / (number + 1)))
            study.tell(number, Outcome(kind, "why"), [measured(2, 0.5 / (number + 1))], constraints={"forgetting": -1})


def content(path: Path) -> dict[str, list[Any]]:
    """All rows but times."""
    columns = {"trials": "number, study_id, state"}
    with closing(sqlite3.connect(path)) as database:
        found = {
            table: database.execute(f"SELECT {columns.get(table, '*')} FROM {table} ORDER BY 1, 2, 3").fetchall()
            for table in TABLES
        }
    assert len(found["trials"]) == 4
    return found


@pytest.mark.parametrize("is_arriving", [True, False])
def test_every_write_is_there_once_whatever_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_arriving: bool
) -> None:
    run_study(tmp_path / "whole.db")
    monkeypatch.setattr(CutOff, "is_arriving", is_arriving)
    monkeypatch.setattr(CutOff, "cuts", 0)
    monkeypatch.setattr(owned, "reaching_of", lambda place, storage: CutOff(str(place), place.name))
    run_study(tmp_path / "cut.db")
    assert content(tmp_path / "cut.db") == content(tmp_path / "whole.db")
    assert CutOff.cuts > 30 if is_arriving else CutOff.cuts == 0


def test_wait_is_told_and_ends_when_the_database_is_back() -> None:
    told: list[str] = []
    patient = PatientReaching("postgresql://db/o", "o", on_wait=told.append)
    answers = iter([gone(), gone(), None])

    def call() -> str:
        if (answer := next(answers)) is not None:
            raise answer
        return "written"

    assert patient.reach(call) == "written"
    assert "away for 0 s, waiting for it: server closed the connection unexpectedly" in told[0]
    assert told[-1] == ""
    assert patient.use is not None
    assert patient.use.num_waits == 1


def test_wait_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "WAIT_SECONDS", 0.2)

    def call() -> None:
        raise gone()

    with pytest.raises(StudyError, match=r"postgresql://db/o: .*away for .* minutes.*run the same command again"):
        PatientReaching("postgresql://db/o", "o").reach(call)


def test_whoever_watches_may_end_the_wait() -> None:
    class StopError(Exception):
        pass

    def stop(text: str) -> None:
        raise StopError

    def call() -> None:
        raise StorageInternalError("commit") from gone()

    with pytest.raises(StopError):
        PatientReaching("postgresql://db/o", "o", on_wait=stop).reach(call)


@pytest.mark.parametrize("wraps", [True, False])
def test_what_waiting_does_not_mend_is_told_at_once(wraps: bool) -> None:
    def call() -> None:
        error = IntegrityError("INSERT", {}, Exception("a value that no column takes"))
        if wraps:
            raise StorageInternalError("commit") from error
        raise error

    with pytest.raises(StudyError, match="a value that no column takes"):
        PatientReaching("postgresql://db/o", "o").reach(call)
