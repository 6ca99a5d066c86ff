"""A real Ray cluster of one node for tests, behind a token, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

from ray_hosts import MOST_STARTS, PATIENCE

_HOLD = """
import sys
import ray
for left in reversed(range(int(sys.argv[1]))):
    try:
        ray.init(address="local", include_dashboard=False, log_to_driver=False, num_cpus=4)
        break
    except Exception:
        ray.shutdown()
        if not left:
            raise
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
"""


class RayProcess:
    """`address` and `environment`: what a driver needs to be let in."""

    def __init__(self, folder: Path) -> None:
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(uuid.uuid4().hex * 2, encoding="ascii")
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        more = {"RAY_USAGE_STATS_ENABLED": "0", **PATIENCE, **self.environment}
        with (folder / "ray.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _HOLD, str(MOST_STARTS)],
                env={**os.environ, **more},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert ":" in self.address, (folder / "ray.log").read_text(encoding="utf-8")[-2000:]

    def close(self) -> None:
        self._process.communicate(timeout=60)
