"""Which MLflow a study is recorded in: a database file, a database or a server."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from ftsweep.domain.objective import Objective
from ftsweep.errors import ConfigError
from ftsweep.recording.ui import runs_address, tracking_uri
from ftsweep.workspace import Store

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_SERVERS = ("http", "https", "databricks")
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # else it prints into the live view
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
        self.is_server = scheme not in _DATABASES
        """Whether it decides by itself where artifacts lie; a database leaves that to us."""

    def uri(self, store: Store) -> str:
        return self._uri or tracking_uri(store)

    def link(self, experiment_id: str, objective: Objective) -> str:
        """The command or address that shows a study's runs."""
        if self._uri is None:
            return "ftsweep ui"
        if not self._uri.startswith("http"):
            return f"mlflow ui --backend-store-uri {self._uri}"
        return runs_address(self._uri, experiment_id, objective)


def prepare_environment() -> None:
    """Settings that MLflow reads from the environment, to be made before it is imported; the user's own stay."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
