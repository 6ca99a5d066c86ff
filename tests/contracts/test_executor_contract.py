"""Both executors of ftsweep keep the contract that an author's own executor must keep."""

from __future__ import annotations

from ftsweep.executors.base import Executor
from ftsweep.executors.inline import Inline
from ftsweep.executors.local import Local
from ftsweep.testing.executor import ExecutorContract


class TestInline(ExecutorContract):
    def make_executor(self) -> Executor:
        return Inline()


class TestLocal(ExecutorContract):
    def make_executor(self) -> Executor:
        return Local(workers=1, threads=1)


class TestLocalWithTwoWorkers(ExecutorContract):
    def make_executor(self) -> Executor:
        return Local(workers=2, threads=1)
