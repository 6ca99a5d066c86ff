"""The contract of executors on a real Ray cluster of this machine."""

from __future__ import annotations

import pytest

from ftsweep.cluster import RayCluster
from ftsweep.executors.base import Executor
from ftsweep.testing.executor import ExecutorContract

pytest.importorskip("ray", reason="needs Ray: pip install 'ftsweep[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.cluster]


class TestRayCluster(ExecutorContract):
    def make_executor(self) -> Executor:
        return RayCluster(threads=1)
