"""Between the control process's pipes and the slots on the nodes: which slots there are, and what becomes of jobs."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray

from ftsweep.cluster.admission import NotStartedError, RefusedClusterError, SlotDiedError
from ftsweep.cluster.carrier import Carrier
from ftsweep.cluster.in_place import SharedFolder
from ftsweep.cluster.inputs import code_of, inputs_of
from ftsweep.cluster.link import Link
from ftsweep.cluster.nodes import Nodes
from ftsweep.cluster.slots import Node, Wish, checked_wishes, slots_of, unheld, unheld_text
from ftsweep.cluster.starting import started

_MOST_DEATHS = 3  # of slots on a node with nothing achieved: it is then left out
_AGAIN_SECONDS = 2.0  # until a slot that died while it was being started is started again
_CLOSE_SECONDS = 10.0
_JOIN_SECONDS = 20.0


class Bridge:
    """Of one study. All that it says goes to standard output, a JSON line each."""

    def __init__(self, settings: Mapping[str, Any], output: Any) -> None:
        self._output = output
        self._wishes = checked_wishes(settings["slots"])
        self._lock = threading.RLock()
        self._links: dict[str, Link] = {}
        self._deaths: dict[str, int] = {}
        self._num_slots = self._num_attempts = self._num_starting = 0
        self._closing = threading.Event()
        shared = SharedFolder(Path(settings["context"]["log_folder"]))
        self._carrier = Carrier(shared)
        self._settings = {**settings, "shared": [str(shared.path), shared.nonce]}
        self._code = code_of(settings["context"]["python_path"])
        self._nodes = Nodes(self._joined, self._draining, self._closing)
        self._run = uuid.uuid4().hex[:12]

    def run(self, lines: Iterator[str]) -> None:
        """Until the control process is gone or says so."""
        self.say({"type": "connected"})
        for work in (self._say_what_is_unheld, self._nodes.watch):
            threading.Thread(target=work, name=work.__name__, daemon=True).start()
        try:
            self._obey_all(lines)
        finally:
            self._carrier.shared.remove()

    def _obey_all(self, lines: Iterator[str]) -> None:
        for line in lines:
            command = json.loads(line)
            if command["type"] == "close":
                self._close()
                return
            self._obey(command)
        with self._lock:
            self._closing.set()
            links = list(self._links.values())
        for link in links:
            link.fence()

    def say(self, message: Mapping[str, Any]) -> None:
        carried = {"carried": self._carrier.counted} if message["type"] == "state" else {}
        with self._lock:
            self._output.write(json.dumps({**message, **carried}) + "\n")
            self._output.flush()

    def _obey(self, command: Mapping[str, Any]) -> None:
        with self._lock:
            if command["type"] == "lanes":
                self._settings["lanes"] = command["lanes"]  # of slots that come later, too
                for each in self._links.values():
                    each.use_lanes(command["lanes"])
                return
            link = self._links.get(command["slot"])
            if command["type"] in ("reply", "go"):
                if link is not None and command["type"] == "go":
                    link.go()
                elif link is not None:
                    link.reply(command["job"], command["message"])
                return
            job = command["job"]
            if link is None:
                self._lose(job["job"], command["slot"], "node", "its slot was gone when it was given")
                return
            self._num_attempts += 1
            link.submit(job, inputs_of(job, command["made"]), f"{self._run}-{self._num_attempts:06d}")

    def _close(self) -> None:
        with self._lock:
            self._closing.set()
            links = list(self._links.values())
        for link in links:
            link.close()
        for link in links:
            link.wait(_CLOSE_SECONDS)

    # -- nodes ------------------------------------------------------------------------------------------------------

    def _say_what_is_unheld(self) -> None:
        """At once, for Ray would have such an actor wait without a word. Nodes of a cluster that is just being started
        have a while to join.
        """
        nodes = self._nodes.alive()
        missing = unheld(nodes, self._wishes)
        if not missing:
            return
        text = unheld_text(nodes, missing)
        self.say({"type": "note", "level": "warning", "slot": "", "text": f"{text}. Nodes that join are looked at."})
        if not self._settings["is_first"]:  # the cluster held slots, and is coming back node by node
            return
        deadline = time.monotonic() + (_JOIN_SECONDS if self._settings["address"] else 0.0)
        while not any(slots_of(node, self._wishes) for node in nodes):
            if time.monotonic() > deadline:
                remedy = "Ask for less, or add a node that has it."
                self.refuse("ConfigError", unheld_text(nodes, missing), "executor.slots", remedy)
                return
            if self._closing.wait(1.0):
                return
            nodes = self._nodes.alive()

    def refuse(self, error: str, what: str, where: str | None = None, remedy: str | None = None) -> None:
        """End the study."""
        self.say({"type": "refused", "error": error, "what": what, "where": where, "remedy": remedy})

    def _joined(self, node: Node) -> None:
        wishes = slots_of(node, self._wishes)
        with self._lock:
            self._num_starting += len(wishes)
        for wish in wishes:
            threading.Thread(target=self._start, args=(node, wish), daemon=True).start()

    def _draining(self, node: str) -> None:
        """Its slots checkpoint, bring what they have, and give their jobs back."""
        with self._lock:
            links = [link for link in self._links.values() if link.node.identity == node and not link.is_drained]
        for link in links:
            link.is_drained = True
            self.say({"type": "leaving", "slot": link.name})
            link.close()

    # -- slots ------------------------------------------------------------------------------------------------------

    def _start(self, node: Node, wish: Wish) -> None:
        """In a thread of its own; `_num_starting` has it counted."""
        with self._lock:
            if self._closing.is_set():
                return
            self._num_slots += 1
            name = f"{node.host} {_kind(wish)} {self._num_slots - 1}"
            settings = dict(self._settings)
        try:
            actor = started(name, node, wish, settings, self.say)
            link = Link(
                name, node, wish, actor, self._settings["heartbeat_seconds"], self._carrier, self.say, self._ended
            )
            link.begin(self._code)
        except RefusedClusterError as error:
            self.refuse("ConfigError", str(error), "executor.address", error.remedy)
            return
        except NotStartedError as error:
            self._not_started(name, node, wish, error)
            return
        with self._lock:
            self._num_starting -= 1
            self._links[name] = link
            if self._settings["lanes"] != settings["lanes"]:
                link.use_lanes(self._settings["lanes"])
        link.start()
        if self._nodes.is_draining(node.identity):
            self._draining(node.identity)

    def _not_started(self, name: str, node: Node, wish: Wish, error: NotStartedError) -> None:
        """Another try where the slot died, which its node may have done without Ray having noticed yet."""
        may_hold = self._nodes.may_hold(node.identity)
        if may_hold and isinstance(error, SlotDiedError) and self._may_die_again(node.identity):
            if not self._closing.wait(_AGAIN_SECONDS):
                self._start(node, wish)
            return
        with self._lock:
            self._num_starting -= 1
        if may_hold:
            self._leave_out(name, node, str(error))
        else:
            self._say_if_none_is_left(name)

    def _may_die_again(self, node: str) -> bool:
        """Count one more slot that died there with nothing achieved."""
        with self._lock:
            self._deaths[node] = self._deaths.get(node, 0) + 1
            return self._deaths[node] < _MOST_DEATHS

    def _ended(self, link: Link, reason: str, kind: str) -> None:
        """A slot is over: its jobs are lost, and another takes its place where its node lives."""
        with self._lock:
            self._links.pop(link.name, None)
            attempts, link.attempts = link.attempts, {}
            for attempt in attempts.values():
                attempt.incoming.close()
            if self._closing.is_set():
                return
            self._num_starting += 1
        ray.kill(link.actor)
        self.say({"type": "gone", "slot": link.name})
        for job, attempt in attempts.items():
            has_progress = attempt.has_progress or link.is_drained or link.is_unfit  # no job is to blame
            self._lose(job, link.name, kind, f"slot {link.name} {reason}", has_progress=has_progress)
        node = link.node.identity
        if link.is_unfit:
            self._refuse_node(link, reason)
            return
        has_achieved = bool(attempts) or link.has_worked or link.is_drained
        if has_achieved:
            self._deaths.pop(node, None)
        may_die_again = has_achieved or self._may_die_again(node)
        if may_die_again and self._nodes.may_hold(node):
            self._start(link.node, link.wish)
            return
        with self._lock:
            self._num_starting -= 1
        if not may_die_again:
            self._leave_out(link.name, link.node, f"{_MOST_DEATHS} slots there died without a job: {reason}")
        else:
            self._say_if_none_is_left(link.name)

    def _refuse_node(self, link: Link, reason: str) -> None:
        """None of its slots can work for the study."""
        with self._lock:
            self._num_starting -= 1
            others = [each for each in self._links.values() if each.node.identity == link.node.identity]
        for each in others:
            each.refuse(reason)
        if not others:  # the last one says it
            self._leave_out(link.name, link.node, reason)

    def _say_if_none_is_left(self, name: str) -> None:
        if not self._links and not self._num_starting:
            text = "no node is left that holds a slot: the study waits for one to join"
            self.say({"type": "note", "level": "warning", "slot": name, "text": text})

    def _leave_out(self, name: str, node: Node, reason: str) -> None:
        """The study goes on with the other slots, or ends where there is none."""
        text = f"node {node.host} gets no slot {name!r}: {reason}"
        with self._lock:
            is_last = not self._links and not self._num_starting
        if is_last:
            self.refuse("StudyError", text, remedy="Mend that, and run the same command again.")
        else:
            self.say({"type": "note", "level": "error", "slot": name, "text": text})

    def _lose(self, job: str, slot: str, kind: str, reason: str, *, has_progress: bool = False) -> None:
        lost = {"type": "lost", "job": job, "kind": kind, "reason": reason, "log_tail": "", "worker": slot}
        message = {**lost, "has_progress": has_progress}
        state = {"free": 0, "lanes": 0, "applied": 0, "is_last": True}
        self.say({"type": "state", "slot": slot, **state, "message": message})


def _kind(wish: Wish) -> str:
    """What a slot is called by: a number behind it counts slots, and is no device's."""
    return "cpu" if not wish.gpus else "gpu" if wish.gpus >= 1 else "gpu share"
