"""Optuna's trials on a real PostgreSQL server: the same study, one owner, and nothing lost or doubled by kills."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from optuna.storages._rdb.storage import _VersionManager
from postgres_server import PASSWORD, PostgresServer

from ftsweep.domain.measurement import Measurement
from ftsweep.domain.objective import Objective
from ftsweep.domain.trial import Outcome, OutcomeKind
from ftsweep.errors import MissingExtraError, StudyError, StudyLockedError
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import Tpe
from ftsweep.search.storage import postgres, reaching
from ftsweep.search.storage.database import Database
from ftsweep.search.storage.postgres import Postgres
from ftsweep.search.study import Study
from ftsweep.testing.recorded import recorded_branch

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

KINDS = (
    (OutcomeKind.COMPLETE, OutcomeKind.COMPLETE, OutcomeKind.PRUNED),
    (OutcomeKind.FAILED, OutcomeKind.INFEASIBLE),
)


@contextmanager
def opened(database: Database, name: str = "s", **settings: Any) -> Iterator[Study]:
    branches = [recorded_branch()]
    study = Study.open(database, name, Objective(), branches, Tpe(), NoPruner(), seed=0, num_rungs=2, **settings)
    try:
        yield study
    finally:
        study.close()


def measured(rung: int, value: float) -> Measurement:
    return Measurement(rung, rung / 2, 0, 0, 0.0, 0.0, {"validation/loss": value})


def run_trial(study: Study, kind: OutcomeKind = OutcomeKind.COMPLETE) -> None:
    proposal = study.ask()
    assert proposal is not None
    value = float(proposal.params["training.learning_rate"])
    study.report(proposal.number, measured(1, value))
    study.tell(proposal.number, Outcome(kind, "why"), [measured(2, value / 2)])


def told(study: Study) -> list[tuple[Any, ...]]:
    return [
        (trial.proposal.number, dict(trial.proposal.params), trial.values, trial.outcome and trial.outcome.kind)
        for trial in study.records()
    ]


def test_study_is_the_same_as_in_a_file_and_goes_on(server: PostgresServer, tmp_path: Path) -> None:
    found = []
    for database in (tmp_path / "optuna.db", Postgres(server.address, "same")):
        for kinds in KINDS:
            with opened(database) as study:  # a second process goes on with it
                for kind in kinds * 4:
                    run_trial(study, kind)
        with opened(database) as study:
            found.append(told(study))
            assert study.running() == []
            with study.computing_importances() as importances:
                assert len(importances().shares) > 0
    assert found[0] == found[1]
    assert len(found[0]) == 20


def test_two_owners_are_impossible_and_the_refusal_names_the_first(server: PostgresServer) -> None:
    mine, theirs = (Postgres(server.address, "one store") for _ in range(2))
    with opened(mine) as study:
        with pytest.raises(StudyLockedError, match=r"'s' is being run by process \d+ on .* \(127\.0\.0\.1\)"):
            opened(theirs).__enter__()
        run_trial(study)
        with opened(theirs, "another") as other:
            run_trial(other)
    with opened(theirs) as study:
        assert study.num_asked == 1


def test_lost_session_is_taken_up_again_but_not_from_who_has_the_study_now(server: PostgresServer) -> None:
    mine, theirs = (Postgres(server.address, "fenced") for _ in range(2))
    with opened(mine) as study:
        run_trial(study)
        end_sessions(server)
        run_trial(study)
        assert study.database_use is not None
        assert study.database_use.num_waits == 1
        end_sessions(server)
        with opened(theirs) as other:
            run_trial(other)
            with pytest.raises(StudyLockedError):
                run_trial(study)
            assert other.num_asked == 3
    with opened(theirs) as study:
        assert [trial[0] for trial in told(study)] == [0, 1, 2]


def end_sessions(server: PostgresServer) -> None:
    server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ftsweep %'")


HOLD = """
import sys
from ftsweep.domain.objective import Objective
from ftsweep.search.pruners import NoPruner
from ftsweep.search.samplers import Random
from ftsweep.search.storage.postgres import Postgres
from ftsweep.search.study import Study
from ftsweep.testing.recorded import recorded_branch

study = Study.open(
    Postgres(sys.argv[1], sys.argv[2]), "s", Objective(), [recorded_branch()], Random(), NoPruner(), seed=0, num_rungs=2
)
study.ask()
print("holds", flush=True)
sys.stdin.read()
"""


def holder(server: PostgresServer, store: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, server.address, store],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_owner_leaves_the_study_free(server: PostgresServer) -> None:
    process = holder(server, "killed")
    assert process.stdout is not None
    assert process.stdout.readline() == "holds\n"
    process.kill()
    process.communicate()
    with opened(Postgres(server.address, "killed")) as study:
        assert [proposal.number for proposal in study.running()] == [0]


def test_studies_of_one_name_in_two_stores_are_two_studies(server: PostgresServer) -> None:
    one, other = Postgres(server.address, "aaaa"), Postgres(server.address, "bbbb")
    with opened(one) as mine, opened(other) as theirs:
        run_trial(mine)
        run_trial(mine)
        run_trial(theirs)
    with opened(one) as mine, opened(other) as theirs:
        assert (mine.num_asked, theirs.num_asked) == (2, 1)


def test_processes_that_make_the_tables_at_once_do_not_stumble(server: PostgresServer) -> None:
    server.ask("CREATE DATABASE fresh")
    place = server.address.removesuffix("ftsweep") + "fresh"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, place, f"store {index}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        for index in range(4)
    ]
    assert [process.communicate()[0] for process in processes] == [b"holds\n"] * 4


@pytest.mark.parametrize("num_kills", [8])
def test_server_killed_and_started_again_loses_nothing_and_writes_nothing_twice(
    server: PostgresServer, tmp_path: Path, num_kills: int
) -> None:
    with opened(tmp_path / "whole.db") as study:
        for _ in range(40):
            run_trial(study)
        whole = told(study)
    is_over, was_killed = threading.Event(), []

    def kill() -> None:
        for _ in range(num_kills):
            if is_over.wait(0.4):
                return
            server.kill()
            was_killed.append(None)
            server.start()

    database = Postgres(server.address, "killed server")
    texts: list[str] = []
    with opened(database) as study:
        study.database.on_wait = texts.append
        killer = threading.Thread(target=kill)
        killer.start()
        for _ in range(40):
            run_trial(study)
        is_over.set()
        killer.join()
        assert told(study) == whole
        use = study.database_use
    with opened(database) as study:
        assert told(study) == whole
    assert was_killed
    assert use is not None
    assert use.num_waits > 0
    assert any("is away" in text for text in texts)
    names = "SELECT count(*), count(DISTINCT number) FROM trials JOIN studies USING (study_id) WHERE study_name ="
    assert server.ask(f"{names} 'killed server/s'") == "40|40"


def test_server_that_stays_away_ends_the_study_in_time(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "WAIT_SECONDS", 1.0)
    with opened(Postgres(server.address, "away")) as study:
        run_trial(study)
        server.kill()
        try:
            with pytest.raises(StudyError, match="run the same command again"):
                study.ask()
        finally:
            server.start()
    with opened(Postgres(server.address, "away")) as study:
        assert study.num_asked == 1


def test_server_that_is_not_there_is_told_with_its_address(server: PostgresServer) -> None:
    port = server.port
    with pytest.raises(StudyError, match=r"127\.0\.0\.1:1/ftsweep: Optuna's database cannot be opened"):
        opened(Postgres(server.address.replace(str(port), "1"), "x")).__enter__()


def test_server_that_dies_while_it_is_opened_is_told(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Postgres(server.address, "dies at the door")
    with opened(database) as study:
        run_trial(study)
    whole = _VersionManager.get_head_version

    def killed(manager: _VersionManager) -> str:
        server.kill()
        server.start()
        return whole(manager)

    with monkeypatch.context() as patch:
        patch.setattr(_VersionManager, "get_head_version", killed)
        with pytest.raises(StudyError, match=r"cannot be opened: .*terminat.*The same command then goes on"):
            opened(database).__enter__()
    with opened(database) as study:
        assert study.num_asked == 1


def test_wrong_password_is_told_without_it(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "another-one")
    with pytest.raises(StudyError, match="password authentication failed") as caught:
        opened(Postgres(server.address, "x")).__enter__()
    assert "another-one" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_user_without_rights_and_a_read_only_database_are_told_at_once(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "p@ss:w/#rd"
    server.ask(f"CREATE ROLE guest LOGIN PASSWORD '{password}'", database="postgres")
    server.ask("CREATE DATABASE guests", database="postgres")
    monkeypatch.setenv("PGPASSWORD", password)
    database = Postgres(server.address.replace("ftsweep@", "guest@").replace("/ftsweep", "/guests"), "x")
    with pytest.raises(StudyError, match=r"permission denied for schema public\. Give") as caught:
        opened(database).__enter__()
    assert "SQL" not in str(caught.value)
    server.ask("GRANT CREATE ON SCHEMA public TO guest", database="guests")
    with opened(database) as study:
        run_trial(study)
    server.ask("ALTER DATABASE guests SET default_transaction_read_only = on", database="postgres")
    with pytest.raises(StudyError, match="takes no writes"):
        opened(database).__enter__()


def test_missing_driver_is_told_by_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"ftsweep\[postgres\]"):
        Postgres("postgresql://db/optuna", "x").open("s")
