"""Optuna's database on a PostgreSQL server: one session for each study's owner, which holds the study's lock.

Every write of an owner goes through the session that holds the lock. Who has lost the session writes nothing before it
holds the lock again; so two owners are impossible, whatever became of the network.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

from ftsweep.errors import MissingExtraError, StudyError, StudyLockedError
from ftsweep.search.storage.reaching import cause_of

if TYPE_CHECKING:
    import psycopg

_LOGGER = logging.getLogger(__name__)
_TABLES_LOCK = 7_385_921_450_311_204_551
"""Of whoever makes Optuna's tables: two that make them at once would stumble."""
_LOCK_SECONDS = 6.0
"""A session that has just ended, or was ended, lets its lock go within this time."""
_LOCK_PAUSE_SECONDS = 0.1
_SOCKET = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""Seconds, and a count: a server whose host is gone is noticed after 25 s."""
_SERVER_SIDE = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
"""The same in the server: the lock of an owner whose host is gone is free after 25 s."""
_HOLDER = (
    "SELECT pid, application_name, host(client_addr) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE "
    "locktype = 'advisory' AND granted AND objsubid = 1 AND (classid::bigint << 32) + objid::bigint = %s"
)


def _session_name() -> str:
    """Who it is, in PostgreSQL's 63 bytes; no two processes have the same."""
    return f"ftsweep {uuid.uuid4().hex[:8]}: process {os.getpid()} on {socket.gethostname()}"[:63]


@dataclass(frozen=True)
class Postgres:
    """A database by its address, `postgresql://user@host/name`, as a store uses it.

    The password comes from PGPASSWORD, PGPASSFILE or ~/.pgpass: libpq reads them, and nothing here sees it.
    """

    address: str
    store: str
    """The store's identity: studies of one name in several stores are several studies."""
    session: str = field(default_factory=_session_name, compare=False)

    def open(self, study: str = "") -> RDBStorage:
        """See `ftsweep.search.storage.database.open_database`."""
        if find_spec("psycopg") is None:
            raise MissingExtraError("psycopg", "postgres", purpose="store.database on a PostgreSQL server")
        from psycopg import Error

        try:
            with self._making_tables() as connection:
                if study:
                    self._check_writable(connection)
                made = {"creator": self.connect, "poolclass": sqlalchemy.NullPool}
                RDBStorage("postgresql+psycopg://", engine_kwargs=made).remove_session()
            if not study:
                return RDBStorage("postgresql+psycopg://", engine_kwargs=made, skip_table_creation=True)
            owned = {"creator": lambda: self._connect_as_owner(study), "pool_size": 1, "max_overflow": 0}
            return RDBStorage(
                "postgresql+psycopg://",
                engine_kwargs=owned,
                skip_compatibility_check=True,
                skip_table_creation=True,
            )
        except (StorageInternalError, sqlalchemy.exc.SQLAlchemyError, RuntimeError, Error) as error:
            cause = " ".join(str(error).split()) if isinstance(error, RuntimeError | Error) else cause_of(error)
            remedy = "Start it, or mend store.database; the password is read from PGPASSWORD or ~/.pgpass."
            if "permission denied" in cause:
                remedy = "Give the user the database (createdb NAME --owner USER), or the right to make tables in it."
            what, remedy = f"Optuna's database cannot be opened: {cause}", f"{remedy} The same command then goes on."
            raise StudyError(what, where=self.address, remedy=remedy) from error

    def connect(self) -> psycopg.Connection[Any]:
        """A session that owns nothing."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        given = conninfo_to_dict(self.address)
        more = {key: value for key, value in _SOCKET.items() if key not in given}
        return psycopg.connect(make_conninfo(self.address, **more, application_name=self.session))

    @contextmanager
    def _making_tables(self) -> Iterator[psycopg.Connection[Any]]:
        connection = self.connect()
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", [_TABLES_LOCK])
            yield connection
        finally:
            connection.close()

    def _check_writable(self, connection: psycopg.Connection[Any]) -> None:
        """Said at the start; in the middle a server that takes no writes is one that another is about to follow."""
        if connection.execute("SHOW transaction_read_only").fetchone() == ("on",):
            raise StudyError(
                "Optuna's database takes no writes: it is read-only, or the server is a replica",
                where=self.address,
                remedy="Name the primary in store.database. The same command then goes on.",
            )

    def _connect_as_owner(self, study: str) -> psycopg.Connection[Any]:
        connection = self.connect()
        try:
            connection.autocommit = True
            for name, value in _SERVER_SIDE.items():
                connection.execute(f"SET {name} = {value}")
            self._take_lock(connection, study)
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_lock(self, connection: psycopg.Connection[Any], study: str) -> None:
        """Have this session own the study. An earlier session of this process that the server still has is ended.

        Raises:
            StudyLockedError: another process owns it.
        """
        key = self._lock_of(study)
        deadline = time.monotonic() + _LOCK_SECONDS
        while connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() != (True,):
            holder = connection.execute(_HOLDER, [key]).fetchone()
            if holder is not None and holder[1] == self.session:
                _LOGGER.info("an earlier session of this process still holds study %r: it is ended", study)
                connection.execute("SELECT pg_terminate_backend(%s)", [holder[0]])
            elif time.monotonic() > deadline:
                raise self._refusal(study, holder)
            time.sleep(_LOCK_PAUSE_SECONDS)

    def _refusal(self, study: str, holder: tuple[Any, ...] | None) -> StudyLockedError:
        name = str((holder or ("", "", ""))[1] or "").partition(": ")[2] or "another process"
        place = f" ({holder[2]})" if holder is not None and holder[2] else ""
        return StudyLockedError(
            f"study {study!r} is being run by {name}{place}, which holds its lock in the database",
            where=self.address,
            remedy="Wait for it or stop it there, or give this run another name with study.name=...",
        )

    def _lock_of(self, study: str) -> int:
        """A positive number of 63 bits."""
        digest = hashlib.sha256(f"ftsweep/{self.store}/{study}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1
