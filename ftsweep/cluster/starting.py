"""How an actor is put on a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ftsweep.cluster.admission import (
    NotStartedError,
    RefusedClusterError,
    SlotDiedError,
    check_admission,
    death_reason,
    versions,
)
from ftsweep.cluster.slot import Slot
from ftsweep.cluster.slots import Node, Wish

_SAY_SECONDS = 30.0
"""An actor that does not begin within it may wait for what others hold."""


def started(
    name: str, node: Node, wish: Wish, settings: Mapping[str, Any], say: Callable[[Mapping[str, Any]], None]
) -> Any:
    """The actor, once it answers; waits as long as others hold what it needs.

    Raises:
        SlotDiedError: it died.
        NotStartedError: it runs something else than this machine.
        RefusedClusterError: whoever reaches the node could run code there.
    """
    descriptor = {
        **{
            key: settings[key]
            for key in ("context", "heartbeat_seconds", "cache_gib", "scratch", "worker_seconds", "lanes")
        },
        "threads": settings["threads"] or max(1, int(wish.cpus)),
        "store": settings["store"],
        "shared": settings["shared"],
        "num_gpus": wish.gpus,
    }
    options = {"num_cpus": wish.cpus, "num_gpus": wish.gpus, "max_restarts": 0, "max_task_retries": 0}
    where = NodeAffinitySchedulingStrategy(node.identity, soft=False)
    actor: Any = ray.remote(Slot).options(max_concurrency=4, scheduling_strategy=where, **options).remote(descriptor)
    try:
        facts = _described(actor, name, node, wish, say)
    except RayError as error:
        ray.kill(actor)
        raise SlotDiedError(death_reason(error)) from error
    try:
        check_admission(facts, versions_here=versions(), insecure=settings["insecure"])
    except (NotStartedError, RefusedClusterError):
        ray.kill(actor)
        raise
    return actor


def _described(
    actor: Any, name: str, node: Node, wish: Wish, say: Callable[[Mapping[str, Any]], None]
) -> Mapping[str, Any]:
    """What it says of itself."""
    answer = actor.describe.remote()
    try:
        return dict(ray.get(answer, timeout=_SAY_SECONDS))
    except GetTimeoutError:
        text = f"slot {name!r} has not begun: {node.host} is slow, or others use its {wish.text} (see `ray status`)"
        say({"type": "note", "level": "warning", "slot": name, "text": text})
    return dict(ray.get(answer))
