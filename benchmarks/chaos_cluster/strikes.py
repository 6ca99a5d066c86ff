"""What is killed, when, and how it comes back: drawn from a seed."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
from hosts import Cluster, Host
from postgres_server import PostgresServer
from services import MlflowServer

HEARTBEAT_SECONDS = 6  # `executor.heartbeat_seconds` of the studies
KINDS = {
    "worker": (15, "a worker, below its slot"),
    "slot": (15, "a slot's actor"),
    "raylet": (9, "a raylet; Ray is started again on its host at once"),
    "host": (10, "all processes of a host; it is switched on again 0 to 4 s later"),
    "blink": (5, "a link cut without a FIN for less than a heartbeat"),
    "cut": (8, "a link cut without a FIN for 1.2 to 5 heartbeats"),
    "postgres": (12, "PostgreSQL (Optuna's trials, and the MLflow server's tables); started 0 to 4 s later"),
    "mlflow": (7, "the MLflow server, where the study records there; started 0 to 4 s later"),
    "bridge": (9, "the bridge process"),
    "control": (14, "the control process; the same command again 0 to 1 s later"),
    "head": (2, "the cluster's head (its GCS); Ray is started again there at once"),
}
"""How often each is drawn, against the others; and what it is."""
_OF_NODES = {"slot", "raylet", "host", "cut"}
_MOST_OF_WORKERS = 2  # of one control process: a trial that loses more workers fails, as it should
_MOST_IN_A_ROW = 4  # one that loses more than five nodes without a rung between them does, too
_MOST_OF_NODES_AT_ONCE = 2  # without progress: a node whose slots die three times with nothing achieved is left out
_MEAN_SECONDS = 1.5
_SHARE_AT_ONCE = 0.5  # of kills after which the next does not wait until there was some progress
_MOST_SECONDS_AT_ONCE = 5.0


@dataclass
class Surroundings:
    """All that a study runs on, apart from its own processes."""

    cluster: Cluster
    postgres: PostgresServer
    mlflow: MlflowServer
    repairs: list[tuple[float, str, Callable[[], None]]] = field(default_factory=list)
    """What is broken: when it is mended, what it is, and how."""

    def is_whole(self, name: str) -> bool:
        return all(broken != name for _, broken, _ in self.repairs)

    def repair(self, *, everything: bool = False) -> None:
        now = time.monotonic()
        due = [each for each in self.repairs if everything or each[0] <= now]
        self.repairs = [each for each in self.repairs if each not in due]
        for _, _, mend in due:
            mend()


@dataclass
class Striker:
    """Of one study. `control` and `bridge` say which process that is now; `losses` how often each job was lost to
    this control process.
    """

    chance: random.Random
    surroundings: Surroundings
    kinds: tuple[str, ...]
    has_server: bool
    control: Callable[[], psutil.Process | None]
    bridge: Callable[[], psutil.Process | None]
    losses: Callable[[], Counter[str]]
    kills: list[dict[str, object]] = field(default_factory=list)
    num_of_workers: int = 0
    _num_of_nodes: int = 0
    _began: float = field(default_factory=time.monotonic)
    _at: float | None = None
    _progress: object = None
    _seen: object = None
    """The progress when it last struck."""

    def turn(self, progress: object) -> str | None:
        """Strike if it is time: what was struck. `progress`: anything that is another value when there was some."""
        now = time.monotonic()
        if progress != self._progress:
            self._progress, self._num_of_nodes = progress, 0
        if self._at is None:
            if progress == self._seen:
                return None
            self._at = now + self.chance.expovariate(1 / _MEAN_SECONDS)
        if now < self._at:
            return None
        struck = self._strike()
        self._seen, self._at = progress, None
        if struck is None:
            self._seen = object()  # nobody was there to be killed: another is drawn soon
        elif self.chance.random() < _SHARE_AT_ONCE:
            self._at = now + self.chance.uniform(0.0, _MOST_SECONDS_AT_ONCE)
        return struck

    def _strike(self) -> str | None:
        kinds = [kind for kind in self.kinds if self._may(kind)]
        if not kinds:
            return None
        kind = self.chance.choices(kinds, [KINDS[each][0] for each in kinds])[0]
        victim = getattr(self, f"_kill_{kind}")()
        if victim is None:
            return None
        self._num_of_nodes += kind in _OF_NODES
        self.kills.append({"seconds": round(time.monotonic() - self._began, 2), "kind": kind, "victim": victim})
        return kind

    def _may(self, kind: str) -> bool:
        if kind == "worker":
            return self.num_of_workers < _MOST_OF_WORKERS
        if kind in _OF_NODES:
            most_lost = max(self.losses().values(), default=0)
            return self._num_of_nodes < _MOST_OF_NODES_AT_ONCE and most_lost < _MOST_IN_A_ROW
        return kind != "mlflow" or self.has_server

    # -- one kill of each kind: who, or None where nobody is there --------------------------------------------------

    def _host(self) -> Host | None:
        hosts = [host for host in self.surroundings.cluster.hosts.values() if host.process and not host.is_cut]
        return self.chance.choice(hosts) if hosts else None

    def _kill_on_host(self, is_it: Callable[[psutil.Process], bool]) -> str | None:
        host = self._host()
        found = [process for process in host.processes() if is_it(process)] if host else []
        if host is None or not found:
            return None
        return killed(found[0], host.name)

    def _kill_worker(self) -> str | None:
        victim = self._kill_on_host(lambda process: has_word(process, "ftsweep.worker.process"))
        self.num_of_workers += victim is not None
        return victim

    def _kill_slot(self) -> str | None:
        return self._kill_on_host(lambda process: has_word(process, "ray::Slot"))

    def _kill_raylet(self) -> str | None:
        return self._kill_on_host(lambda process: name_of(process) == "raylet")

    def _kill_host(self) -> str | None:
        host = self._host()
        if host is None:
            return None
        cluster = self.surroundings.cluster
        cluster.kill(host)
        self._mend_later(host.name, self.chance.uniform(0, 4), lambda: cluster.start(host))
        return host.name

    def _kill_blink(self) -> str | None:
        return self._cut(self.chance.uniform(0.1, 0.8) * HEARTBEAT_SECONDS)

    def _kill_cut(self) -> str | None:
        return self._cut(self.chance.uniform(1.2, 5) * HEARTBEAT_SECONDS)

    def _cut(self, seconds: float) -> str | None:
        host = self._host()
        if host is None:
            return None
        cluster = self.surroundings.cluster
        cluster.cut(host)
        self._mend_later(f"link of {host.name}", seconds, lambda: cluster.mend(host))
        return f"{host.name} for {seconds:.1f} s"

    def _kill_postgres(self) -> str | None:
        return self._kill_service("postgres", self.surroundings.postgres)

    def _kill_mlflow(self) -> str | None:
        return self._kill_service("mlflow", self.surroundings.mlflow)

    def _kill_service(self, name: str, server: PostgresServer | MlflowServer) -> str | None:
        if not self.surroundings.is_whole(name):
            return None
        server.kill()
        self._mend_later(name, self.chance.uniform(0, 4), server.start)
        return name

    def _kill_head(self) -> str | None:
        found = [each for each in self.surroundings.cluster.head_processes() if name_of(each) == "gcs_server"]
        return killed(found[0], "head") if found else None

    def _kill_bridge(self) -> str | None:
        found = self.bridge()
        return None if found is None else killed(found, "bridge")

    def _kill_control(self) -> str | None:
        found = self.control()
        return None if found is None else killed(found, "control")

    def _mend_later(self, name: str, seconds: float, mend: Callable[[], None]) -> None:
        self.surroundings.repairs.append((time.monotonic() + seconds, name, mend))


def killed(process: psutil.Process, where: str) -> str | None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()
        return f"{where}, process {process.pid}"
    return None


def has_word(process: psutil.Process, word: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(each.startswith(word) for each in process.cmdline())
    return False


def name_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return str(process.name())
    return ""
