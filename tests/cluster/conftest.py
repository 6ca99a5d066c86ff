"""A PostgreSQL server and Ray clusters for the tests of this folder, which `make test-cluster` runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PASSWORD, PostgresServer, find_programs
from ray_cluster import RayProcess
from ray_hosts import RayHosts, can_have_hosts
from small_study import place_in

import ftsweep.testing.executor as contract


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
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setattr(contract, "PATIENCE_SECONDS", 120.0)  # a slot starts Ray's driver and an actor, too


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayProcess]:
    pytest.importorskip("ray", reason="needs Ray: pip install 'ftsweep[ray]'")
    process = RayProcess(tmp_path_factory.mktemp("ray"))
    yield process
    process.close()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHosts]:
    pytest.importorskip("ray", reason="needs Ray: pip install 'ftsweep[ray]'")
    if not can_have_hosts():
        pytest.skip("needs namespaces (unshare, as root)")
    hosts = RayHosts(hidden=tmp_path_factory.getbasetemp())
    yield hosts
    hosts.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a small study's sweep file and rows."""
    return place_in(tmp_path)
