"""A process that has imported everything and forks a command whenever it is asked: no command pays for imports.

A request is one line of JSON: words, folder, environment, and the files that are standard input, output and error. The
answer is two lines, the command's process id at once and its exit code when it has ended. Commands that a test kills or
interrupts are started as always (`Place.start`), and so is the first whole study (`finished`).
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ftsweep.testing import forked


class Command:
    """A forked command, to be closed like a file by `communicate`; as much of a `Popen` as tests need."""

    def __init__(self, made: tempfile.TemporaryDirectory[str], connection: socket.socket) -> None:
        self._made, self._connection, self._lines = made, connection, connection.makefile()
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or None while it is under way."""
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.returncode = int(self._lines.readline())
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it printed, once it has ended. Raises TimeoutError when it does not end in time."""
        if self.returncode is None and not select.select([self._connection], [], [], timeout)[0]:
            raise TimeoutError(f"process {self.pid} did not end in {timeout} s")
        self.poll()
        out, error = (Path(self._made.name, name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
        self._lines.close()
        self._connection.close()
        self._made.cleanup()
        return out, error


class CommandServer:
    """The test's side: starts the process, and asks it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._address = str(folder / "commands")
        self._process = subprocess.Popen(
            [sys.executable, __file__, self._address], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def start(self, words: tuple[str, ...], *, folder: Path, environment: dict[str, str], stdin: str = "") -> Command:
        """The command, under way."""
        made = tempfile.TemporaryDirectory()
        files = [Path(made.name) / name for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(stdin, encoding="utf-8")
        request = {"words": words, "folder": str(folder), "environment": environment, "files": list(map(str, files))}
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._address)
        connection.sendall(json.dumps(request).encode() + b"\n")
        return Command(made, connection)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def serve(address: str) -> None:
    """The process's side."""
    for name in forked.PRELOADED:
        importlib.import_module(name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for a command
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _answer(connection, json.loads(connection.makefile().readline()))
            os._exit(0)
        connection.close()


def _answer(connection: socket.socket, request: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = forked.fork("ftsweep", lambda: _run(request))
    connection.sendall(f"{command}\n".encode())
    _, status = os.waitpid(command, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _run(request: dict[str, Any]) -> None:
    os.chdir(request["folder"])
    forked.fork_instead_of_starting()
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)
    ends = [os.open(file, mode) for file, mode in zip(request["files"], modes, strict=True)]
    forked.run_module("ftsweep.cli.main", request["words"], ends, request["environment"])


if __name__ == "__main__":
    serve(sys.argv[1])
