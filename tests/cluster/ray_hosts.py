"""A Ray cluster of several hosts on one machine, each with processes and a temporary folder of its own.

They die as a whole. The control host holds the store and no slot. The others see neither its store nor its data.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from postgres_server import free_port

import ftsweep

_START_SECONDS = 600
_RAY = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--include-log-monitor=false"]
_ALONE = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--uts"]
PATIENCE = {"RAY_raylet_start_wait_time_s": "45", "RAY_agent_register_timeout_ms": "120000"}
MOST_STARTS = 10
"""Ray gives its own processes 15 s, which on a busy machine is not enough, and nothing changes that."""


def can_have_hosts() -> bool:
    """Whether this user may make namespaces."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_ALONE, "mount", "-t", "tmpfs", "none", "/tmp"], check=False).returncode == 0


def own_tmp(mount: str = "mount -t tmpfs none /tmp", seen: Sequence[Path] = ()) -> str:
    """Shell commands that give a host a temporary folder of its own. What runs here is seen there, wherever it lies,
    and so are the folders `seen`.
    """
    places = (Path(ftsweep.__file__).parents[1], sys.prefix, sys.base_prefix, *seen)
    roots = {Path(each).resolve() for each in places}
    hidden = sorted(root for root in roots if root.is_relative_to("/tmp"))
    kept = [root for root in hidden if not any(root != other and root.is_relative_to(other) for other in hidden)]
    opened = [f"exec {number}<'{root}'" for number, root in enumerate(kept, 3)]
    back = [
        f"mkdir -p '{root}' && mount --no-canonicalize --bind /proc/self/fd/{number} '{root}' && exec {number}<&-"
        for number, root in enumerate(kept, 3)
    ]
    return " && ".join([*opened, mount, *back])


class RayHosts:
    """`address` and `environment`: what a driver on the control host needs. `hidden`: what no other host may see."""

    def __init__(self, hidden: Path) -> None:
        self._hidden = hidden
        self._folder = Path(tempfile.mkdtemp(prefix="rh-", dir="/tmp"))  # names of sockets are short
        more = {"RAY_USAGE_STATS_ENABLED": "0", **PATIENCE}
        self.environment = {**more, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex * 2}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._starts: dict[str, int] = {}
        port = free_port()
        words = ["--head", "--port", str(port), "--num-cpus", "0", "--include-dashboard=false", "--no-monitor"]
        self._start("control", [*_RAY, *words, "--temp-dir", str(self._folder)])
        self.address = self._address(port)

    def add(self, name: str, *words: str, seen: Sequence[Path] = ()) -> None:
        """A host of one CPU, or what the words for `ray start` say; `seen`: folders that it shares."""
        ray = " ".join([*_RAY, "--address", self.address, *(words or ("--num-cpus", "1"))])
        script = f"hostname {name} && {own_tmp(seen=seen)} && test ! -e {self._hidden} && exec {ray}"
        self._start(name, [*_ALONE, "sh", "-c", script])

    @property
    def num_others(self) -> int:
        """Hosts that hold a slot."""
        return len(self._processes) - 1

    def wait(self, *names: str) -> None:
        """Until these hosts are up."""
        deadline = time.monotonic() + _START_SECONDS
        for name in names:
            while "Ray runtime started" not in (said := self.log(name)):
                process = self._processes[name]
                if process.poll() is not None and self._starts[name] < MOST_STARTS:
                    self._start(name, list(map(str, process.args)))  # type: ignore[arg-type]
                    continue
                assert process.poll() is None, said[-3000:]
                assert time.monotonic() < deadline, said[-3000:]
                time.sleep(0.2)

    def pid(self, name: str) -> int:
        """The process outside of the host's namespaces, whose child is the first one inside."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """All processes of a host at once, by SIGKILL."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(30)

    def close(self) -> None:
        for name in [*self._processes][::-1]:
            process = self._processes.pop(name)
            if name == "control":
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(20)
                continue
            process.send_signal(signal.SIGKILL)
            process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def drain(self, node: str) -> None:
        """Tell the cluster that a node will go soon, as a provider does."""
        words = ["drain-node", "--address", self.address, "--node-id", node, "--reason-message", "a test"]
        words += ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--deadline-remaining-seconds", "120"]
        command = [*_RAY[:3], *words]
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _start(self, name: str, command: list[str]) -> None:
        self._starts[name] = self._starts.get(name, 0) + 1
        with (self._folder / f"{name}.log").open("wb") as log:
            environment = {**os.environ, **self.environment}
            self._processes[name] = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _address(self, port: int) -> str:
        """What the control host calls itself, once it is up."""
        self.wait("control")
        host = self.log("control").partition("Local node IP: ")[2].split()[0]
        return f"{host}:{port}"
