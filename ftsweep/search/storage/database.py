"""Where a study's trials lie for Optuna: in a file of the store, or on a server that many stores share."""

from __future__ import annotations

from pathlib import Path

from optuna.storages import RDBStorage

from ftsweep.search.storage.postgres import Postgres
from ftsweep.search.storage.reaching import PatientReaching, Reaching
from ftsweep.search.storage.sqlite import BUSY_SECONDS, open_storage

Database = Path | Postgres
"""A file of SQLite, or a database on a PostgreSQL server."""


def open_database(database: Database, study: str = "") -> RDBStorage:
    """The storage, made if it is not there. With the name of a study a server's is open to its only owner.

    Raises:
        StudyError: it cannot be reached or read.
        StudyLockedError: a live process, wherever it runs, owns this study on the server.
    """
    return open_storage(database) if isinstance(database, Path) else database.open(study)


def reaching_of(database: Database, storage: RDBStorage) -> Reaching:
    """How calls of the open storage are made: a server is waited for."""
    if isinstance(database, Path):
        return Reaching(str(database), database.name, busy_seconds=BUSY_SECONDS)
    return PatientReaching(database.address, database.address, engine=storage.engine)


def optuna_name(database: Database, study: str, generation: int = 1) -> str:
    """What a study is called in a database, by how often its space has changed. No study's name has an `@` or a `/`."""
    name = study if generation == 1 else f"{study}@{generation}"
    return name if isinstance(database, Path) else f"{database.store}/{name}"
