"""Processes forked from one that has imported everything: a start costs milliseconds instead of seconds.

The only way in which such a study differs from one that a person starts: the control process, its workers and the
sampler's helper are forks, not fresh interpreters. Everything they do, and how they are ended, is the product's. The
watchdog is started as always. Used by benchmarks/chaos, and by whole commands in tests.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from inspect import signature
from typing import Any, NoReturn

PRELOADED = (
    "ftsweep.cli.main", "ftsweep.cli.live_view", "ftsweep.cli.run_view", "ftsweep.config.compose",
    "ftsweep.control.run",
    "ftsweep.recording.mlflow", "ftsweep.report.page", "ftsweep.search.samplers.gp_fit",
    "ftsweep.worker.engine", "ftsweep.worker.process",
    "torch", "transformers", "peft", "optuna", "mlflow", "mlflow.pyfunc", "plotly.graph_objects", "datasets", "pyarrow",
)  # fmt: skip
"""What a process imports before it forks commands."""

_LIBC = ctypes.CDLL(None)
_PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 15, 36
_PARAMETERS = list(signature(subprocess.Popen._execute_child).parameters)[1:]  # type: ignore[attr-defined]


def plan_child(module: str) -> Callable[[], None]:
    """Called before each fork of a worker or helper; what it returns, the fork does first. A lane puts its own here."""
    return lambda: None


def adopt_orphans() -> None:
    """Become the parent of every descendant whose parent dies, so that none is overlooked."""
    if _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("this system has no subreapers; the chaos needs Linux")


def fork(name: str, body: Callable[[], Any]) -> int:
    """Run the body in a fork of this process that has no part of it left: the process id."""
    pid = os.fork()
    if pid == 0:
        try:
            _LIBC.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
            gc.freeze()  # what the parent had open is not this process's to close
            _forget_logging()
            body()
        except SystemExit as end:
            _leave(end.code if isinstance(end.code, int) else int(end.code is not None))
        except BaseException:  # noqa: BLE001 - told on standard error, as an interpreter does
            traceback.print_exc()
            _leave(1)
        _leave(0)
    return pid


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _forget_logging() -> None:
    for logger in [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            for handler in list(logger.handlers):
                logger.removeHandler(handler)
    ours = logging.getLogger("ftsweep")
    ours.propagate = True
    ours.setLevel(logging.NOTSET)


class ForkedPopen(subprocess.Popen[Any]):
    """`python -m MODULE ...` as a fork of this process; any other command is executed as always."""

    def _execute_child(self, *given: Any) -> None:
        told = dict(zip(_PARAMETERS, given, strict=True))
        command = list(told["args"])
        if "-m" not in command:
            super()._execute_child(*given)  # type: ignore[misc]
            return
        module, *words = command[command.index("-m") + 1 :]
        ends = [told[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        first = plan_child(module)
        its_own_group, held_until_then = os.pipe()
        self.pid = fork(module.rpartition(".")[2], lambda: run_module(module, words, ends, told["env"], first))
        os.close(held_until_then)
        os.read(its_own_group, 1)  # as Popen waits for the exec: before it, whoever kills the group finds none
        os.close(its_own_group)
        self._child_created = True  # what Popen itself sets here, in every Python since 3.2
        self._close_pipe_fds(  # type: ignore[attr-defined]
            *(told[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"))
        )


def run_module(
    module: str,
    words: list[str],
    ends: list[int],
    environment: dict[str, str],
    first: Callable[[], None] = lambda: None,
) -> None:
    """What `python -m MODULE WORDS` does, in a fork; `ends` become standard input, output and error."""
    os.setsid()
    for number, end in enumerate(ends):
        if end not in (-1, number):
            os.dup2(end, number)
    os.closerange(3, 4096)
    no_limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_FSIZE, no_limit)  # a fuse of the parent's
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = [module, *words]
    first()
    loaded: Any = sys.modules.get(module)
    if loaded is None:
        runpy.run_module(module, run_name="__main__")
    else:
        loaded.main()


class _Subprocess:
    """The module `subprocess` with another Popen."""

    Popen = ForkedPopen

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)


def fork_instead_of_starting() -> None:
    """From now on workers and helpers that this process (or a fork of it) starts are forks."""
    from ftsweep.executors import process
    from ftsweep.search.samplers import gp_process

    for module in (process, gp_process):
        vars(module)["subprocess"] = _Subprocess()
