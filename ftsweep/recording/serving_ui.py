"""Where MLflow's pages can be served on this machine, when they answer, and which page is which study's."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from urllib.error import URLError
from urllib.request import urlopen

from ftsweep.domain.hosts import check_host
from ftsweep.errors import FtsweepError
from ftsweep.recording.shared_view import VIEW_TAG
from ftsweep.recording.ui import runs_address
from ftsweep.store.folders import Store

_BY_STUDY = (
    "SELECT value, experiment_id FROM experiment_tags JOIN experiments USING (experiment_id) "
    "WHERE key = 'ftsweep.study' AND lifecycle_stage = 'active' ORDER BY experiment_id"
)
_PORTS = 100
_POLL_SECONDS = 0.2


def free_port(host: str, first: int) -> int | None:
    """The first port from there on that nobody listens on; None where all of the next hundred are taken.

    Raises:
        UsageError: this machine has no such host.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(first, min(first + _PORTS, 65536)):
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: what has just ended is free
            try:
                attempt.bind((host.strip("[]"), port))
            except OSError as error:
                check_host(host, error)
                continue
            return port
    return None


def wait_for_answer(server: str, *, is_alive: Callable[[], bool]) -> bool:
    """Whether the server at this address answers before it has ended."""
    while is_alive():
        try:
            with urlopen(f"{server}/health", timeout=5):  # noqa: S310 - an address of our own
                return True
        except (URLError, OSError):
            time.sleep(_POLL_SECONDS)
    return False


def study_addresses(store: Store, server: str) -> Mapping[str, str]:
    """The page of each recorded study, the newest first. Reads the store's own database, and MLflow is not asked."""
    found: dict[str, str] = {}
    with closing(sqlite3.connect(f"{store.mlflow_database.absolute().as_uri()}?mode=ro", uri=True)) as database:
        names = dict(database.execute(_BY_STUDY))
        shared = {
            row[0] for row in database.execute("SELECT experiment_id FROM experiment_tags WHERE key = ?", [VIEW_TAG])
        }
    for folder in sorted(store.studies(), key=lambda folder: folder.path.stat().st_mtime, reverse=True):
        try:
            objective = folder.manifest().terms.objective
        except (FtsweepError, OSError):
            continue
        if folder.name in names:
            number = names[folder.name]
            found[folder.name] = runs_address(server, str(number), objective, is_shared=number in shared)
    return found
