"""The nodes of a Ray cluster: which live, which have joined, which are being drained."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import ray
from ray._private.state import state  # Ray offers what is being drained nowhere else

from ftsweep.cluster.slots import Node

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 3.0


@dataclass
class Nodes:
    """`on_join` is called once for each node that may hold slots, `on_drain` as long as a node is being drained."""

    on_join: Callable[[Node], None]
    on_drain: Callable[[str], None]
    closing: threading.Event
    _known: set[str] = field(default_factory=set)

    def alive(self) -> list[Node]:
        return [Node.from_ray(facts) for facts in ray.nodes() if facts["Alive"]]

    def watch(self) -> None:
        """In a thread of its own, until the study is closed."""
        while not self.closing.is_set():
            try:
                self._look()
            except Exception:  # the cluster is away: Ray ends this process, or it comes back
                _LOGGER.exception("nodes cannot be asked for")
            self.closing.wait(_LOOK_SECONDS)

    def _look(self) -> None:
        draining = set(state.get_draining_nodes())
        for node in self.alive():
            if node.identity in draining:
                self.on_drain(node.identity)
            elif node.identity not in self._known:
                self._known.add(node.identity)
                self.on_join(node)

    def is_draining(self, identity: str) -> bool:
        return identity in state.get_draining_nodes()

    def may_hold(self, identity: str) -> bool:
        """Whether a slot may be started there."""
        return not self.is_draining(identity) and any(node.identity == identity for node in self.alive())
