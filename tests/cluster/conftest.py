"""One PostgreSQL server for the tests of this folder, which `make test-cluster` runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres_server import PASSWORD, PostgresServer, find_programs
from ray_cluster import RayProcess


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'ftsweep[postgres]'")
    programs = find_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL (initdb and postgres) on this machine")
    server = PostgresServer(programs)
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayProcess]:
    pytest.importorskip("ray", reason="needs Ray: pip install 'ftsweep[ray]'")
    process = RayProcess(tmp_path_factory.mktemp("ray"))
    yield process
    process.close()


@pytest.fixture
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayProcess]:
    pytest.importorskip("ray", reason="needs Ray: pip install 'ftsweep[ray]'")
    process = RayProcess(tmp_path_factory.mktemp("ray"), num_nodes=2)
    yield process
    process.close()
