"""A real PostgreSQL server for tests and benchmarks: made, killed and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

PASSWORD = "not-to-be-seen"
_START_SECONDS = 60


def find_programs() -> Path | None:
    """The folder with `initdb` and `postgres`: on the path, or where Debian has them."""
    places = [Path(found).parent for name in ("initdb", "postgres") if (found := shutil.which(name))]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((each for each in places if (each / "initdb").exists() and (each / "postgres").exists()), None)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class PostgresServer:
    """With one database, `ftsweep`, whose owner of the same name has a password."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="ftsweep-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:  # which PostgreSQL refuses
            entry = pwd.getpwnam("postgres")
            self._user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)
        self.port = free_port()
        self.address = f"postgresql://ftsweep@127.0.0.1:{self.port}/ftsweep"
        self._make()
        self.start()
        self.ask("CREATE DATABASE ftsweep", database="postgres")

    def _make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD + "\n", encoding="ascii")
        if self._user:
            os.chown(secret, self._user["user"], self._user["group"])
        words = ["-U", "ftsweep", "-A", "scram-sha-256", "--pwfile", str(secret), "-E", "UTF8", "--locale=C", "-N"]
        command = [str(self._programs / "initdb"), "-D", str(self._folder / "data"), *words]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False, **self._user)
        assert done.returncode == 0, done.stderr

    def ask(self, query: str, database: str = "ftsweep") -> str:
        """The first row of the answer, its values with `|` between them; "" without one."""
        import psycopg

        place = f"postgresql://ftsweep@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(place, password=PASSWORD, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(query)
            row = cursor.fetchone() if cursor.description else None
        return "" if row is None else "|".join(map(str, row))

    def start(self) -> None:
        """Start, or start again after a kill, and wait until it answers."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            assert time.monotonic() < deadline, (self._folder / "log").read_text(encoding="utf-8")[-2000:]
            if self._process is None or self._process.poll() is not None:  # after a kill the rest may not be gone yet
                self._process = self._started()
            if self._is_up():
                return
            time.sleep(0.05)

    def _started(self) -> subprocess.Popen[bytes]:
        words = ["-D", str(self._folder / "data"), "-p", str(self.port), "-k", str(self._folder)]
        words += ["-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB", "-c", "max_connections=100"]
        with (self._folder / "log").open("ab") as log:
            command = [str(self._programs / "postgres"), *words]
            return subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log, **self._user)

    def _is_up(self) -> bool:
        import psycopg

        try:
            return self.ask("SELECT 1", database="postgres") == "1"
        except psycopg.Error:
            return False

    def kill(self) -> None:
        """Its first process by SIGKILL, as a power cut would; the others end by themselves."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)
