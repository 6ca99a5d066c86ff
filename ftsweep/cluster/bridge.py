"""The process that holds Ray for a study: between the control process's pipes and the slots on the nodes.

Ray ends a process whose cluster is gone, from C++ and without an exception; that must not be the one that owns a study.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if "--secure" in sys.argv:  # before Ray is imported: a cluster of our own lets nobody in without its token
    _TOKEN = Path(tempfile.mkdtemp(prefix="ftsweep-ray-")) / "token"
    _TOKEN.touch(mode=0o600)
    _TOKEN.write_text(uuid.uuid4().hex + uuid.uuid4().hex, encoding="ascii")
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(_TOKEN))
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ftsweep import __version__
from ftsweep.cluster.inputs import code_of, inputs_of
from ftsweep.cluster.link import Link
from ftsweep.cluster.objects import file_hash
from ftsweep.cluster.slot import Slot, versions
from ftsweep.errors import FtsweepError

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 5.0
"""How often nodes that have joined are looked for."""
_MOST_DEATHS = 3  # of slots on a node with nothing achieved: it is then left out
_READY_SECONDS = 120.0


@dataclass(frozen=True)
class Wanted:
    """What a slot asks of a node; as in `RayCluster.slots`."""

    gpus: float = 0.0
    cpus: float = 1.0
    accelerator: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


class Bridge:
    """Of one study. All that it says goes to standard output, a JSON line each."""

    def __init__(self, settings: Mapping[str, Any], output: Any) -> None:
        self._settings, self._output = settings, output
        self._lock = threading.RLock()
        self._links: dict[str, Link] = {}
        self._deaths: dict[str, int] = {}
        self._num_slots = self._num_attempts = 0
        self._num_starting = 0
        self._is_closing = False
        self._run = uuid.uuid4().hex[:12]
        self._code = {name: file_hash(file) for name, file in code_of(settings["context"]["python_path"]).items()}

    def run(self, lines: Iterator[str]) -> None:
        """Until the control process is gone or says so."""
        threading.Thread(target=self._look_for_nodes, name="nodes", daemon=True).start()
        for line in lines:
            command = json.loads(line)
            if command["type"] == "close":
                self._close()
                return
            self._obey(command)

    def say(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            self._output.write(json.dumps(message) + "\n")
            self._output.flush()

    def _obey(self, command: Mapping[str, Any]) -> None:
        with self._lock:
            link = self._links.get(command["slot"])
            if command["type"] == "reply":
                if link is not None:
                    link.reply(command["job"], command["message"])
                return
            job = command["job"]
            if link is None:
                self._lose([job["job"]], command["slot"], "node", "its slot was gone when it was given")
                return
            self._num_attempts += 1
            try:
                link.submit(job, inputs_of(job), f"{self._run}-{self._num_attempts:06d}")
            except FtsweepError as error:
                self.say({"type": "refused", "text": str(error)})

    # -- slots ------------------------------------------------------------------------------------------------------

    def _look_for_nodes(self) -> None:
        known: set[str] = set()
        has_any = False
        while not self._is_closing:
            alive = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
            for identity in [each for each in alive if each not in known]:
                known.add(identity)
                for wanted in self._wanted_of(alive[identity]):
                    place = (identity, alive[identity], wanted)
                    threading.Thread(target=self._start_slot, args=place, daemon=True).start()
                    has_any = True
            if not has_any:
                self.say({"type": "refused", "text": f"none of the cluster's {len(alive)} nodes can hold a slot"})
            time.sleep(_LOOK_SECONDS)

    def _wanted_of(self, node: Mapping[str, Any]) -> list[Wanted]:
        """The slots that the node gets: those that it can hold, or without any said one for each GPU, else one."""
        has = dict(node["Resources"])
        asked: Sequence[Mapping[str, Any]] = self._settings["slots"] or []
        if not asked:
            gpus = int(has.get("GPU", 0))
            cpus = max(1.0, has.get("CPU", 1) // max(1, gpus))
            return [Wanted(1.0 if gpus else 0.0, cpus)] * max(1, gpus)
        found = []
        for each in asked:
            wanted = Wanted(**{key: value for key, value in each.items() if key != "count"})
            is_kind = wanted.accelerator is None or f"accelerator_type:{wanted.accelerator}" in has
            is_labelled = all(node.get("Labels", {}).get(key) == value for key, value in wanted.labels.items())
            for _ in range(int(each.get("count", 1))):
                fits = has.get("CPU", 0) >= wanted.cpus and has.get("GPU", 0) >= wanted.gpus
                if is_kind and is_labelled and fits:
                    has["CPU"], has["GPU"] = has["CPU"] - wanted.cpus, has.get("GPU", 0) - wanted.gpus
                    found.append(wanted)
        return found

    def _start_slot(self, identity: str, node: Mapping[str, Any], wanted: Wanted) -> None:
        with self._lock:
            if self._is_closing:
                return
            self._num_slots += 1
            self._num_starting += 1
            kind = "gpu" if wanted.gpus else "cpu"
            name = f"{node.get('NodeManagerHostname', 'node')} {kind} {self._num_slots - 1}"
        descriptor = {
            **{key: self._settings[key] for key in ("context", "heartbeat_seconds", "cache_gib", "scratch")},
            "worker_seconds": self._settings["worker_seconds"],
            "threads": self._settings["threads"] or max(1, int(wanted.cpus)),
            "store": self._settings["store"],
            "num_gpus": wanted.gpus,
            "run": self._run,
        }
        actor = (
            ray.remote(Slot)
            .options(
                num_cpus=wanted.cpus,
                num_gpus=wanted.gpus,
                max_concurrency=4,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(identity, soft=False),
            )
            .remote(descriptor)
        )
        link = Link(name, identity, actor, self._settings["heartbeat_seconds"], self.say, self._ended, self._code)
        link.wanted, link.node_facts = wanted, node
        try:
            found = ray.get(actor.describe.remote(), timeout=_READY_SECONDS)
            self._check(found)
            link.send_code()
            ray.get(actor.begin.remote(), timeout=_READY_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever keeps a slot from starting
            self._not_started(link, error)
            return
        with self._lock:
            self._num_starting -= 1
            self._links[name] = link
        link.start()

    def _check(self, found: Mapping[str, str]) -> None:
        own = {"ftsweep": __version__, **versions()}
        other = [f"{name} {found[name]} (here {own[name]})" for name in own if found[name] != own[name]]
        if other:
            raise ValueError(f"it has {', '.join(other)}: install the same versions as on this machine")

    def _not_started(self, link: Link, error: Exception) -> None:
        ray.kill(link.actor)
        text = f"{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error).strip() else ''}"
        with self._lock:
            self._num_starting -= 1
        self._leave_out(link, f"no slot can be started as {link.name}: {text}")

    def _leave_out(self, link: Link, text: str) -> None:
        """The study goes on with the other slots, or ends where there is none."""
        with self._lock:
            is_last = not self._links and not self._num_starting
        self.say({"type": "refused" if is_last else "no_slot", "slot": link.name, "text": text})

    def _ended(self, link: Link, reason: str, kind: str) -> None:
        """A slot is over: its jobs are lost, and another takes its place where its node lives."""
        with self._lock:
            self._links.pop(link.name, None)
            attempts, link.attempts = link.attempts, {}
            if self._is_closing:
                return
        ray.kill(link.actor)
        self.say({"type": "gone", "slot": link.name})
        has_progress = any(attempt.has_progress for attempt in attempts.values())
        for job, attempt in attempts.items():
            self._lose([job], link.name, kind, f"slot {link.name} {reason}", has_progress=attempt.has_progress)
        is_blameless = has_progress or bool(attempts)
        self._deaths[link.node] = 0 if is_blameless else self._deaths.get(link.node, 0) + 1
        is_alive = any(node["NodeID"] == link.node and node["Alive"] for node in ray.nodes())
        if is_alive and self._deaths[link.node] < _MOST_DEATHS:
            self._start_slot(link.node, link.node_facts, link.wanted)
        elif is_alive:
            self._leave_out(link, f"{link.name} is left out, where {_MOST_DEATHS} slots died without a job: {reason}")

    def _lose(self, jobs: Sequence[str], slot: str, kind: str, reason: str, *, has_progress: bool = False) -> None:
        for job in jobs:
            lost = {"type": "lost", "job": job, "kind": kind, "reason": reason, "log_tail": "", "worker": slot}
            message = {**lost, "has_progress": has_progress}
            self.say({"type": "state", "slot": slot, "free": 0, "lanes": 0, "applied": 0, "message": message})

    def _close(self) -> None:
        with self._lock:
            self._is_closing = True
            links = list(self._links.values())
        for link in links:
            link.close()
        deadline = time.monotonic() + 10
        while any(not link.is_over for link in links) and time.monotonic() < deadline:
            time.sleep(0.05)


def main() -> None:
    settings = json.loads(sys.argv[1])
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Ray prints
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    options: dict[str, Any] = {"address": settings["address"] or "local", "log_to_driver": False}
    if settings["address"] is None:
        options |= {"include_dashboard": False, "_temp_dir": str(_TOKEN.parent), **settings["local"]}
    ray.init(**options)
    try:
        Bridge(settings, output).run(iter(sys.stdin.readline, ""))
    finally:
        output.close()
        with suppress(Exception):
            ray.shutdown()
        os._exit(0)  # what is left is Ray's, and ends with this process


if __name__ == "__main__":
    main()
