"""Optuna's database in SQLite, opened so that several studies and readers can share it and a kill cannot spoil it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy.engine import Connection

from ftsweep.errors import StudyError
from ftsweep.store.atomic import written_file
from ftsweep.store.locks import made_by_one

BUSY_SECONDS = 60.0


def open_storage(path: Path) -> RDBStorage:
    """The storage at `path`, made if it is not there.

    Raises:
        StudyError: the file cannot be opened, or is no database that this Optuna reads.
    """
    path.parent.mkdir(parents=True, exist_ok=True)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        # A kill of the process loses nothing; a power failure may lose the last commits but never the file.
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    with made_by_one(path.parent):
        try:
            is_new = not path.exists() or not path.stat().st_size
            if is_new:
                _make_tables(path)
            storage = RDBStorage(
                "sqlite://",
                engine_kwargs={"creator": connect, "poolclass": sqlalchemy.QueuePool},
                skip_compatibility_check=is_new,  # for it Optuna runs the scripts of all its versions
                skip_table_creation=is_new,
            )
        except (sqlalchemy.exc.DatabaseError, sqlite3.DatabaseError, RuntimeError) as error:
            raise StudyError(
                f"Optuna's database cannot be opened: {error}",
                where=str(path),
                remedy="Move the file away (trials' own folders are kept), or name another store.path.",
            ) from error

    @sqlalchemy.event.listens_for(storage.engine, "begin")
    def begin_immediate(connection: Connection) -> None:
        # A read that turns into a write later fails at once, without waiting, when another study wrote in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return storage


def _make_tables(path: Path) -> None:
    """All tables and indexes, or no file: a kill between a table and its index would leave studies without a key."""
    with written_file(path) as unfinished:

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(unfinished, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=MEMORY")  # no second file that a kill could leave
            return connection

        settings = {"creator": connect, "poolclass": sqlalchemy.QueuePool}
        close_storage(RDBStorage("sqlite://", engine_kwargs=settings, skip_compatibility_check=True))


def close_storage(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()
