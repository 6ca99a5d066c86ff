"""MLflow's server as a process of a command's own: whatever ends one of them ends all, and nothing is said of that."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psutil

_SECONDS_TO_END = 5.0
"""For what is asked to end, before it is killed."""


def serve(command: Sequence[str], environment: Mapping[str, str], tell: Callable[[Callable[[], bool]], None]) -> int:
    """Run a server until it ends or this process is asked to end; its exit code, and 0 where it was ended here.

    `tell` runs beside it, in a thread, and is given what says whether the server is still there. The server does not
    see Ctrl-C: MLflow answers it with "Aborted!", and its web server with a traceback. It is asked to end by SIGTERM,
    and so are the processes that it leaves behind where it was killed.
    What the server prints on its standard output is dropped; its errors are not.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    if before[signal.SIGHUP] == signal.SIG_IGN:
        del before[signal.SIGHUP]  # by nohup
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is started now inherits it
    server = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, process_group=0)
    for number in before:
        signal.signal(number, _interrupt)
    try:
        threading.Thread(target=tell, args=(lambda: server.poll() is None,), daemon=True).start()
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _end(server)
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _end(server: subprocess.Popen[bytes]) -> None:
    """The server first, then what it started: it would tell of a child that ended before it."""
    if server.poll() is not None:
        with suppress(ProcessLookupError):  # nothing is left of its group
            os.killpg(server.pid, signal.SIGTERM)
        return
    process = psutil.Process(server.pid)
    all_of_it = [process, *process.children(recursive=True)]
    for each in all_of_it:
        _ask(each.terminate)
    _, left = psutil.wait_procs(all_of_it[1:], timeout=_SECONDS_TO_END)
    for each in left:
        _ask(each.kill)
    server.wait()


def _ask(act: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        act()
