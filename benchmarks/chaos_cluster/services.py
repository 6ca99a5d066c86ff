"""The PostgreSQL and the MLflow server that studies use, to be killed and started again; and what they say of one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from facts import Databases
from place import NAME, Place
from postgres_server import PASSWORD, PostgresServer, find_programs, free_port

_START_SECONDS = 180


def started_postgres() -> PostgresServer:
    programs = find_programs()
    if programs is None:
        raise SystemExit("needs PostgreSQL on this machine (Debian: apt install postgresql)")
    server = PostgresServer(programs)
    server.ask("CREATE DATABASE mlflow")
    return server


class MlflowServer:
    """With its tables in the PostgreSQL server and artifacts through its proxy."""

    def __init__(self, folder: Path, postgres: PostgresServer) -> None:
        self._folder = folder
        folder.mkdir()
        self._port = free_port()
        self.address = f"http://127.0.0.1:{self._port}"
        place = f"postgresql+psycopg://ftsweep@127.0.0.1:{postgres.port}/mlflow"
        words = ["--backend-store-uri", place, "--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
        words += ["--host", "127.0.0.1", "--port", str(self._port)]
        self._command = [sys.executable, "-m", "mlflow", "server", *words]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        more = {"PGPASSWORD": PASSWORD, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env={**os.environ, **more}, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self) -> None:
        """Until it answers; starts it again where it has given up, as for want of its database."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_up():
            if time.monotonic() > deadline:
                raise SystemExit(f"MLflow's server does not start: see {self._folder / 'log'}")
            if self._process is None or self._process.poll() is not None:
                self.start()
            time.sleep(0.5)

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """All of its processes by SIGKILL."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    close = kill


class ServersDatabases(Databases):
    """Optuna's trials in PostgreSQL; MLflow's record there, too, where the study was recorded by the server."""

    def __init__(self, place: Place, postgres: PostgresServer, *, is_recorded_there: bool) -> None:
        super().__init__(place)
        self._postgres, self._is_recorded_there = postgres, is_recorded_there
        self._experiment = place.folder.name
        self._identity = json.loads((place.store / "store.json").read_text(encoding="utf-8"))["identity"]

    def optuna_states(self) -> list[str]:
        question = (
            "SELECT number, state::text FROM public.trials JOIN public.studies USING (study_id) WHERE study_name = "
            f"'{self._identity}/{NAME}' ORDER BY number"
        )
        rows = self._asked("ftsweep", [], question)
        return [state if number == index else f"number {number}" for index, (number, state) in enumerate(rows)]

    def mlflow(self, question: str) -> list[Any]:
        if not self._is_recorded_there:
            return super().mlflow(question)
        own = f"SELECT experiment_id FROM public.experiments WHERE name = '{self._experiment}'"
        rows_of = {  # of the tables' rows those of this study, under the tables' names
            "runs": f"experiment_id IN ({own})",
            "metrics": "run_uuid IN (SELECT run_uuid FROM runs)",
            "model_versions": f"name = '{self._experiment}'",
            "logged_models": f"experiment_id IN ({own})",
        }
        views = [
            f"CREATE TEMP VIEW {name} AS SELECT * FROM public.{name} WHERE {is_own}" for name, is_own in rows_of.items()
        ]
        return self._asked("mlflow", views, question)

    def _asked(self, database: str, first: list[str], question: str) -> list[Any]:
        import psycopg

        place = f"postgresql://ftsweep@127.0.0.1:{self._postgres.port}/{database}"
        with psycopg.connect(place, password=PASSWORD, autocommit=True, connect_timeout=10) as connection:
            for statement in first:
                connection.execute(statement)
            return connection.execute(question).fetchall()
