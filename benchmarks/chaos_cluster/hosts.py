"""A Ray cluster over hosts of one machine that are joined by real links, kept while its parts are killed.

The control host is this machine's own namespaces: it holds the head and no slot. Each other host has processes, a
network, mounts and a temporary folder of its own (which outlives it, as a disk does), one CPU and one GPU that is none.
On every host something starts Ray again when it has ended, as systemd would. Needs Linux, root and `ip`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from postgres_server import free_port
from ray_hosts import PATIENCE, own_tmp

_START_SECONDS = 600
_RAY = f"{sys.executable} -m ray.scripts.scripts start --block --include-log-monitor=false"
_MEMORY = 100_000_000  # bytes of Ray's object store, which nothing of ours uses
_ALONE = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--uts"]
_RAYS_PATIENCE = {  # so that a head that is gone costs seconds and not minutes
    "RAY_gcs_rpc_server_reconnect_timeout_s": "15",
    "RAY_health_check_initial_delay_ms": "5000",
    "RAY_health_check_period_ms": "3000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "4",
}


@dataclass
class Host:
    """One that holds a slot. `folder`: its temporary folder, seen from the control host."""

    name: str
    address: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    is_cut: bool = False

    def processes(self) -> list[psutil.Process]:
        """All of its own, without the one that made its namespaces."""
        if self.process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []


class Cluster:
    """`environment`: what a driver on the control host needs. `hidden`: what no other host may see but for those that
    are `sharing` it.
    """

    def __init__(self, folder: Path, hidden: Path, names: tuple[str, ...], sharing: Sequence[str] = ()) -> None:
        self._folder, self._hidden, self._sharing = folder, hidden, sharing
        self._temporary = Path(tempfile.mkdtemp(prefix="rh-", dir="/tmp"))  # names of sockets are short
        self._mark = f"ft{os.getpid() % 100_000}"
        self._net = f"10.213.{os.getpid() % 250 + 1}"
        self.environment = {
            "RAY_USAGE_STATS_ENABLED": "0",
            **PATIENCE,
            **_RAYS_PATIENCE,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": uuid.uuid4().hex * 2,
        }
        port = free_port()
        self.address = f"{self._net}.1:{port}"
        self.hosts = {name: Host(name, f"{self._net}.{number}", folder / name) for number, name in enumerate(names, 2)}
        self._join()
        words = f"--head --port {port} --num-cpus 0 --include-dashboard=false --no-monitor --temp-dir {self._temporary}"
        ray = f"{_RAY} --node-ip-address {self._net}.1 --object-store-memory {_MEMORY} {words}"
        self._head = self._started("head", ["sh", "-c", _again(ray)])
        for host in self.hosts.values():
            self.start(host)
        self.wait()

    def _join(self) -> None:
        """A link from each host to the control host."""
        _ip(f"link add {self._mark} type bridge")
        _ip(f"addr add {self._net}.1/24 dev {self._mark}")
        _ip(f"link set {self._mark} up")
        for host in self.hosts.values():
            host.folder.mkdir(parents=True)
            host.folder.chmod(0o1777)
            space, link = f"{self._mark}-{host.name}", self._link(host)
            _ip(f"netns add {space}")
            _ip(f"link add {link} type veth peer name eth0 netns {space}")
            _ip(f"link set {link} master {self._mark} up")
            _ip(f"-n {space} addr add {host.address}/24 dev eth0")
            _ip(f"-n {space} link set eth0 up")
            _ip(f"-n {space} link set lo up")

    def _link(self, host: Host) -> str:
        return f"{self._mark}.{host.address.rpartition('.')[2]}"

    def start(self, host: Host) -> None:
        """Switch it on; it joins by itself."""
        ray = f"{_RAY} --node-ip-address {host.address} --address {self.address} --object-store-memory {_MEMORY}"
        shares = host.name in self._sharing
        hide = f"{{ test ! -e {self._hidden} || mount -t tmpfs none {self._hidden}; }}"
        script = (
            f"hostname {host.name} && {own_tmp(f'mount --bind {host.folder} /tmp', [self._hidden][:shares])} && "
            f"{'true' if shares else hide} && "
            f"{{ {_again(f'{ray} --num-cpus 1 --num-gpus 1')}; }}"
        )
        command = ["ip", "netns", "exec", f"{self._mark}-{host.name}", *_ALONE, "sh", "-c", script]
        host.process = self._started(host.name, command)

    def kill(self, host: Host) -> None:
        """All of its processes at once, by SIGKILL; its disk stays."""
        assert host.process is not None
        host.process.send_signal(signal.SIGKILL)
        host.process.wait(30)
        host.process = None

    def cut(self, host: Host) -> None:
        """Neither side is told: what was sent is on its way for ever."""
        _ip(f"link set {self._link(host)} down")
        host.is_cut = True

    def mend(self, host: Host) -> None:
        _ip(f"link set {self._link(host)} up")
        host.is_cut = False

    def head_processes(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._head.pid).children(recursive=True)
        return []

    def wait(self) -> None:
        """Until all hosts have joined and nobody holds anything."""
        deadline = time.monotonic() + _START_SECONDS
        while (held := self.held()) is None or held != dict.fromkeys(self.hosts, 0.0):
            if time.monotonic() > deadline:
                raise SystemExit(f"the cluster is not whole after {_START_SECONDS} s: {held}; logs in {self._folder}")
            time.sleep(2.0)

    def held(self) -> dict[str, float] | None:
        """GPUs that somebody holds, by the host's name; None where the head does not answer."""
        script = (
            f"import json, ray; ray.init('{self.address}', log_to_driver=False, logging_level='ERROR')\n"
            "from ray._private.state import available_resources_per_node as free\n"
            "free = free()\n"
            "held = {node['NodeManagerHostname']: all - free.get(node['NodeID'], {}).get('GPU', 0)\n"
            "    for node in ray.nodes() if node['Alive'] and (all := node['Resources'].get('GPU'))}\n"
            "print(json.dumps(held))"
        )
        environment = {**os.environ, **self.environment}
        try:
            done = subprocess.run(
                [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=90
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != 0:
            return None
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found

    def close(self) -> None:
        for host in self.hosts.values():
            if host.process is not None:
                self.kill(host)
        children = self.head_processes()
        self._head.kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self._head.wait(30)
        for host in self.hosts.values():
            _ip(f"link del {self._link(host)}")
            _ip(f"netns del {self._mark}-{host.name}")
        _ip(f"link del {self._mark}")
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _started(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as log:
            environment = {**os.environ, **self.environment, "TMPDIR": "/tmp"}
            return subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


def _again(command: str) -> str:
    return f"while true; do {command}; sleep 0.5; done"


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)
