"""`executor: ray`: trials on the nodes of a Ray cluster, by way of a bridge process. Ray is not imported here."""

from __future__ import annotations

import hashlib
import json
import logging
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from ftsweep.cluster.in_place import remove_shared
from ftsweep.cluster.known_slot import KnownSlot
from ftsweep.cluster.made_once import MadeOnce
from ftsweep.cluster.reaching import check_reached
from ftsweep.cluster.slots import check_node_settings
from ftsweep.domain.messages import Answer
from ftsweep.errors import ConfigError, MissingExtraError, StudyError
from ftsweep.executors.base import Executor, ExecutorContext, Message
from ftsweep.executors.devices import Place
from ftsweep.executors.lanes import Lanes, checked_lanes, first_lanes
from ftsweep.executors.launch import worker_environment
from ftsweep.executors.process import WorkerProcess

_LOGGER = logging.getLogger(__name__)
_CLOSE_SECONDS = 15.0
_PATIENCE_SECONDS = 600.0
"""A cluster that is away is waited for so long."""
_MOST_UNREACHED = 3
"""So many bridges may die before one has reached the cluster: what cannot be reached at all is refused in words."""
_MAX_PAUSE_SECONDS = 30.0
_LAST_WORDS = 5  # lines of a dead bridge's log
_OVER = ("ended", "failed", "lost")


class RayCluster(Executor):
    """Runs jobs in slots on the nodes of a Ray cluster. Nodes need no disk in common with this machine, but ftsweep in
    the same version.

    `address`: of a running cluster (`auto`, `host:6379`); null starts one on this machine, for this run and behind a
    token. `slots`: what slots nodes get, as mappings with `gpus` (may be a fraction), `cpus`, `accelerator`, `labels`
    and `count`, at most for each node; null: one for each GPU, on a node without any one. `threads`: of each worker;
    null is the slot's `cpus`. `lanes`: trials that each worker trains at once; "auto" as many as pay, measured in one
    slot. `heartbeat_seconds`: a slot that is silent for so long is lost. `insecure`: take a cluster without a token.
    `scratch`: a folder on the nodes; null is the temporary folder. `cache_gib`: of files that a node keeps.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        slots: Sequence[Mapping[str, Any]] | None = None,
        threads: int | None = None,
        lanes: Lanes = 1,
        heartbeat_seconds: float = 15,
        insecure: bool = False,
        scratch: str | None = None,
        cache_gib: float = 50,
    ) -> None:
        check_node_settings(slots, threads=threads, scratch=scratch, cache_gib=cache_gib)
        if address is not None and "://" in address:
            remedy = "Run ftsweep on a machine of the cluster, with executor.address=auto."
            raise ConfigError("Ray's client addresses are not supported", where="executor.address", remedy=remedy)
        if not 2 <= heartbeat_seconds <= 3600:
            raise ConfigError(
                f"{heartbeat_seconds} seconds are too short or too long",
                where="executor.heartbeat_seconds",
                remedy="Give 2 to 3600.",
            )
        self.lanes, self.num_lanes = checked_lanes(lanes), first_lanes(lanes)
        self.address, self.slots, self.threads = address, slots, threads
        self.heartbeat_seconds, self.insecure = heartbeat_seconds, insecure
        self.scratch, self.cache_gib = scratch, cache_gib
        self._slots: dict[str, KnownSlot] = {}
        self._bridge: WorkerProcess | None = None
        self._arrived: list[Message] = []
        self._made = MadeOnce()
        self._pause, self._start_at = 1.0, 0.0
        self._away_since: float | None = None
        self._is_open = self._was_connected = False
        self._num_unreached = self._log_mark = 0
        self.carried: Counter[str] = Counter()
        """Bytes `sent` to nodes and `brought` from them, used `in_place` there, and `handed` over on a shared disk."""
        self._carried_by_bridge: Counter[str] = Counter()

    def open(self, context: ExecutorContext) -> None:
        if find_spec("ray") is None:
            raise MissingExtraError("ray", "ray", purpose="executor: ray")
        check_reached(self.address)
        self._context, self._is_open = context, True
        self._start_bridge()

    @property
    def num_slots(self) -> int:
        return sum(slot.lanes for slot in self._slots.values())

    @property
    def num_free(self) -> int:
        return sum(self._num_free(slot) for slot in self._slots.values())

    def _num_free(self, slot: KnownSlot) -> int:
        """None before it says that it has as many lanes as all are to have."""
        return slot.num_free if slot.lanes >= self.num_lanes else 0

    def use_lanes(self, lanes: int) -> None:
        self.num_lanes = lanes
        self._send({"type": "lanes", "lanes": lanes})

    def submit(self, job: Message) -> None:
        if any(job["job"] in slot.jobs for slot in self._slots.values()):
            raise RuntimeError(f"job {job['job']} is under way already")
        name, slot = max(self._slots.items(), key=lambda pair: self._num_free(pair[1]), default=("", KnownSlot()))
        if not self._num_free(slot) or self._bridge is None:
            raise RuntimeError(f"no worker is free for job {job['job']}")
        slot.jobs.add(job["job"])
        slot.submitted += 1
        slot.awaits_go = self.num_lanes > 1
        made = self._made.note(job)
        job = {**job, "sources": dict(self._made.sources)} if self._made.sources else job
        self._send({"type": "submit", "slot": name, "job": job, "made": made})

    def reply(self, job: str, message: Answer) -> None:
        for name, slot in self._slots.items():
            if job in slot.jobs:
                self._send({"type": "reply", "slot": name, "job": job, "message": {**message, "job": job}})

    def poll(self, timeout_seconds: float) -> list[Message]:
        self._let_go()
        deadline = time.monotonic() + timeout_seconds
        while self._is_open:
            self._exchange(0.0 if self._arrived else max(0.0, min(0.5, deadline - time.monotonic())))
            if self._arrived or time.monotonic() >= deadline:
                break
        arrived, self._arrived = self._arrived, []
        return arrived

    def close(self, *, kill: bool = False) -> None:
        if not self._is_open:
            return
        self._is_open = False
        if self._bridge is None:
            return
        if not kill:
            self._send({"type": "close"})
            deadline = time.monotonic() + _CLOSE_SECONDS
            while not self._bridge.has_died and time.monotonic() < deadline:
                self._listen(0.2)
        self._bridge.end()
        self._bridge = None
        self._slots.clear()
        remove_shared(self._context.log_folder)
        sizes = ", ".join(f"{size / 1e6:.1f} MB {how}" for how, size in self.carried.items())
        _LOGGER.info("carried: %s", sizes or "nothing")

    def _let_go(self) -> None:
        """Whoever asks for messages has answered the last ones: a worker of several lanes may take its next turn."""
        for name, slot in self._slots.items():
            if slot.awaits_go and slot.jobs:
                slot.awaits_go = False
                self._send({"type": "go", "slot": name})

    # -- the bridge -------------------------------------------------------------------------------------------------

    def _start_bridge(self) -> None:
        context = replace(self._context, python_path=())  # it imports nothing of the user's
        log = self._context.log_folder / "bridge.log"
        self._log_mark = log.stat().st_size if log.exists() else 0
        self._bridge = WorkerProcess(
            self._bridge_command(),
            environment=worker_environment(Place("bridge", 1, {}), context),
            log_file=log,
        )

    def _bridge_command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "ftsweep.cluster.bridge_process", json.dumps(self._settings())]

    def _settings(self) -> dict[str, Any]:
        context = self._context
        place = f"{socket.gethostname()} {context.log_folder.parent.parent}"
        return {
            "address": self.address,
            "slots": None if self.slots is None else [dict(slot) for slot in self.slots],
            "threads": self.threads,
            "lanes": self.num_lanes,
            "heartbeat_seconds": self.heartbeat_seconds,
            "worker_seconds": 60.0,
            "scratch": self.scratch,
            "cache_gib": self.cache_gib,
            "store": hashlib.sha256(place.encode()).hexdigest()[:12],
            "insecure": self.insecure,
            "is_first": not self._was_connected,
            "context": {
                "log_folder": str(context.log_folder.absolute()),
                "python_path": [str(folder) for folder in context.python_path],
                "allowed_packages": list(context.allowed_packages),
                "engine": context.engine,
            },
        }

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._bridge is not None:
            self._bridge.send(message)

    def _exchange(self, wait_seconds: float) -> None:
        if self._bridge is None:
            time.sleep(wait_seconds)
            if time.monotonic() >= self._start_at:
                self._start_bridge()
            return
        self._listen(wait_seconds)
        if self._bridge.has_died:
            self._lose_bridge()

    def _listen(self, wait_seconds: float) -> None:
        assert self._bridge is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._bridge.stdout, selectors.EVENT_READ)
            if self._bridge.has_unsent:
                selector.register(self._bridge.stdin, selectors.EVENT_WRITE)
            ready = selector.select(wait_seconds)
        self._bridge.flush()
        if any(key.fileobj is self._bridge.stdout for key, _ in ready):
            for message in self._bridge.receive():
                self._hear(message)

    def _hear(self, said: Message) -> None:
        match said["type"]:
            case "connected":
                self._was_connected = True
            case "state":
                self._hear_slot(said)
            case "leaving":
                self._slots.setdefault(said["slot"], KnownSlot()).is_leaving = True
            case "gone":
                self._arrived += self._slots.pop(said["slot"], KnownSlot()).turn
            case "note":
                log = {"type": "log", "job": None, "level": said["level"], "text": said["text"]}
                self._arrived.append({**log, "worker": said["slot"]})
            case "refused":
                error = ConfigError if said["error"] == "ConfigError" else StudyError
                raise error(said["what"], where=said["where"], remedy=said["remedy"])

    def _hear_slot(self, said: Message) -> None:
        """What a worker said together is handed on together: lanes that take turns are decided on in their order."""
        if said["lanes"]:
            slot = self._slots.setdefault(said["slot"], KnownSlot())
            self._away_since, self._pause = None, 1.0
        else:  # none that lives
            slot = self._slots.get(said["slot"], KnownSlot())
        carried: Counter[str] = Counter(said["carried"])
        self.carried += carried - self._carried_by_bridge
        self._carried_by_bridge = carried
        heard = slot.hear(said)
        slot.awaits_go |= bool(heard) and self.num_lanes > 1
        over = {message["job"]: message for message in heard if message["type"] in _OVER}
        for message in over.values():
            self._made.hear(message)
        for each in self._slots.values():
            each.jobs -= over.keys()
        self._arrived += heard

    def _lose_bridge(self) -> None:
        """Ray has ended it, or somebody: its jobs go on elsewhere, and another bridge is started after a while."""
        assert self._bridge is not None
        how, _ = self._bridge.end()
        self._carried_by_bridge.clear()
        tail = _last_words(self._bridge.log_tail(self._log_mark, num_lines=1000))
        self._bridge = None
        self._num_unreached += not self._was_connected
        now = time.monotonic()
        self._away_since = self._away_since or now
        for name, slot in self._slots.items():
            self._arrived += slot.turn
            over = {message["job"] for message in slot.turn if message["type"] in _OVER}
            for job in sorted(slot.jobs - over):
                lost = {"type": "lost", "job": job, "kind": "cluster", "worker": name, "log_tail": tail}
                self._arrived.append({**lost, "reason": f"the Ray cluster is away: its bridge {how}"})
        self._slots.clear()
        if self._num_unreached >= _MOST_UNREACHED or now - self._away_since > _PATIENCE_SECONDS:
            minutes = (
                f"has been away for {_PATIENCE_SECONDS / 60:g} minutes" if self._was_connected else "was not reached"
            )
            raise StudyError(
                f"the Ray cluster {minutes}: its bridge {how}. Its last words:\n{tail or '(none)'}",
                where=str(self._context.log_folder / "bridge.log"),
                remedy="Bring it back and run the same command again: trials go on from their folders.",
            )
        self._start_at, self._pause = now + self._pause, min(2 * self._pause, _MAX_PAUSE_SECONDS)


def _last_words(log: str) -> str:
    """Of a bridge's log, without the pages that Ray repeats there of what its nodes logged."""
    lines = [line for line in log.splitlines() if line.strip() and not line[0].isspace()]
    return "\n".join(lines[-_LAST_WORDS:])
