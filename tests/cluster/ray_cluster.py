"""A real Ray cluster of one node for tests, behind a token, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

_PATIENCE = {"RAY_raylet_start_wait_time_s": "120", "RAY_agent_register_timeout_ms": "120000"}
_HOLD = """
import sys
import ray
ray.init(address="local", include_dashboard=False, log_to_driver=False, num_cpus=4)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


_HOLD_TWO = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
node = cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
for line in sys.stdin:
    cluster.remove_node(node, allow_graceful=False)
    print("killed", flush=True)
cluster.shutdown()
"""


class RayProcess:
    """`address` and `environment`: what a driver needs to be let in."""

    def __init__(self, folder: Path, *, num_nodes: int = 1) -> None:
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(uuid.uuid4().hex * 2, encoding="ascii")
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        more = {"RAY_USAGE_STATS_ENABLED": "0", **_PATIENCE, **self.environment}
        with (folder / "ray.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _HOLD if num_nodes == 1 else _HOLD_TWO],
                env={**os.environ, **more},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert ":" in self.address, (folder / "ray.log").read_text(encoding="utf-8")[-2000:]

    def kill_node(self) -> None:
        """All processes of the second node, by SIGKILL."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("kill\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "killed\n"

    def close(self) -> None:
        self._process.communicate(timeout=60)
