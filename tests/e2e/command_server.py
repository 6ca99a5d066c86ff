"""A process that has imported everything and forks a command whenever it is asked: no command pays for imports.

All test processes of a run share it, by the run's name: the first to ask starts it, and it ends with the last of them.

A request is one line of JSON: module, words, folder, environment, and the files that are standard input, output and
error; an empty line says that a test process is there, for as long as it keeps the connection. The answer is two lines,
the command's process id at once and its exit code when it has ended. The first whole study (`finished`) and those that
slow tests kill are started as always.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
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

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

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
    """The test's side: starts the process where no other test process of this run has, and asks it."""

    def __init__(self, run: str, environment: dict[str, str]) -> None:
        self._run = run
        try:
            self._lifeline = self._connect()
        except ConnectionRefusedError:
            told, telling = os.pipe()
            command = [sys.executable, __file__, run]
            os.posix_spawn(command[0], command, environment, file_actions=[(os.POSIX_SPAWN_DUP2, telling, 1)])
            os.close(telling)
            with open(told) as answer:
                assert answer.readline() == "it listens\n"
            self._lifeline = self._connect()
        self._lifeline.sendall(b"\n")

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(_address(self._run))
        except BaseException:
            connection.close()
            raise
        return connection

    def start(
        self, module: str, words: tuple[str, ...], *, folder: Path, environment: dict[str, str], stdin: str = ""
    ) -> Command:
        """`python -m MODULE WORDS`, under way."""
        made = tempfile.TemporaryDirectory()
        files = [Path(made.name) / name for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(stdin, encoding="utf-8")
        request = {"module": module, "words": words, "folder": str(folder), "environment": environment}
        request["files"] = list(map(str, files))
        connection = self._connect()
        connection.sendall(json.dumps(request).encode() + b"\n")
        return Command(made, connection)

    def close(self) -> None:
        self._lifeline.close()


def _address(run: str) -> str:
    """A name that is no file, so that nothing is left of it."""
    return f"\0ftsweep-commands-{run}"


def serve(run: str) -> None:
    """The process's side."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(_address(run))
        listener.listen()
    except OSError:  # another test process was quicker
        print("it listens", flush=True)
        return
    print("it listens", flush=True)
    for name in forked.PRELOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for a command
    lifelines: list[socket.socket] = []
    has_begun = False
    while lifelines or not has_begun:
        for ready in select.select([listener, *lifelines], [], [])[0]:
            if ready is not listener:  # it says nothing more: its test process has ended
                lifelines.remove(ready)
                ready.close()
                continue
            connection, _ = listener.accept()
            request = connection.makefile().readline()
            if request == "\n":
                lifelines.append(connection)
                has_begun = True
                continue
            if os.fork() == 0:
                listener.close()
                _answer(connection, json.loads(request))
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
    forked.run_module(request["module"], request["words"], ends, request["environment"])


if __name__ == "__main__":
    serve(sys.argv[1])
