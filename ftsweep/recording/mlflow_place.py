"""Which MLflow a study is recorded in: a database file, a database or a server."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from urllib.parse import urlsplit

from ftsweep.domain.commands import quoted_command
from ftsweep.domain.objective import Objective
from ftsweep.errors import ConfigError
from ftsweep.recording.artifact_place import register
from ftsweep.recording.ui import runs_address, tracking_uri
from ftsweep.store.atomic import remove
from ftsweep.store.folders import Store
from ftsweep.store.locks import made_by_one

PlaceKind = Literal["own", "database", "server"]

_TEMPORARY = ".mlflow-"
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_SERVERS = ("http", "https", "databricks")
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # else it prints into the live view, with tracebacks; errors are told by us
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # its own retries last minutes inside one call; we retry whole calls
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


class MlflowPlace:
    """A tracking URI, checked; None is SQLite in the store."""

    def __init__(self, uri: str | None) -> None:
        scheme = "sqlite" if uri is None else urlsplit(uri).scheme.partition("+")[0]
        if scheme not in (*_DATABASES, *_SERVERS) and uri != "databricks":
            raise ConfigError(
                f"{uri!r} is not a place that MLflow can track in",
                where="recording.tracking_uri",
                remedy="Use sqlite:///path/to/mlflow.db, http://host:port, or null for the store's own database.",
            )
        self._uri = uri
        self.kind: PlaceKind = "own" if uri is None else "database" if scheme in _DATABASES else "server"
        """The store's own database, another one, or a server, which decides by itself where artifacts lie."""
        self.name = uri or "mlflow.db"
        """How a ledger calls it: the store's own stays what it is when the store is moved."""

    def uri(self, store: Store) -> str:
        return self._uri or tracking_uri(store)

    def is_missing(self, store: Store) -> bool:
        """Whether it is the store's own database, and that is not there."""
        return self._uri is None and not store.mlflow_database.exists()

    def make(self, store: Store) -> None:
        """Make the store's own database, unless it is there: by one process only, and whole or not at all.

        MLflow makes its tables in many steps that are no transaction: two at once, or a kill, would spoil it for good.
        """
        if self._uri is not None:
            return
        from mlflow import MlflowClient

        register()
        with made_by_one(store.root):
            for torn in store.root.glob(f"{_TEMPORARY}*"):  # of a process that was killed below
                remove(torn)
            if store.mlflow_database.exists():
                return
            with TemporaryDirectory(dir=store.root, prefix=_TEMPORARY) as folder:
                made, whole = Path(folder) / "made.db", Path(folder) / "whole.db"
                MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments(max_results=1)
                with closing(sqlite3.connect(made)) as source, closing(sqlite3.connect(whole)) as target:
                    source.backup(target)
                whole.replace(store.mlflow_database)

    def link(self, experiment_id: str, objective: Objective, *, is_shared: bool) -> str:
        """The command or address that shows a study's runs; see `runs_address`."""
        if self._uri is None:
            return "ftsweep ui"
        if not self._uri.startswith("http"):
            return quoted_command("mlflow", "ui", "--backend-store-uri", self._uri)
        return runs_address(self._uri, experiment_id, objective, is_shared=is_shared)


def prepare_environment() -> None:
    """Settings that MLflow reads from the environment, to be made before it is imported; the user's own stay."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
