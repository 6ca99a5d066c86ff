"""What slots a user asks for, and which of them a node can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePath
from typing import Any

from ftsweep.errors import ConfigError
from ftsweep.executors.devices import MAX_COUNT

_GRAIN = 1e-6  # sums of fractions are not exact


@dataclass(frozen=True)
class Wish:
    """One entry of `executor.slots`."""

    gpus: float = 0.0
    """Of one GPU: 1, or a fraction that several slots share it by."""
    cpus: float = 1.0
    accelerator: str | None = None
    """Only on nodes with this kind of GPU, by Ray's name for it (`H100`)."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Only on nodes with these of Ray's labels."""
    count: int | None = None
    """For each node, at most; None is as many as it can hold."""

    @property
    def text(self) -> str:
        default = asdict(Wish())
        said = {key: value for key, value in asdict(self).items() if value != default[key]}
        inside = ", ".join(f"{key}: {value}" for key, value in said.items()) or "cpus: 1"
        return f"{{{inside}}}"


@dataclass(frozen=True)
class Node:
    """Of a cluster: all that it has, not what is free of it."""

    identity: str
    host: str
    resources: Mapping[str, float]
    labels: Mapping[str, str]

    @classmethod
    def from_ray(cls, facts: Mapping[str, Any]) -> Node:
        """From an entry of `ray.nodes()`."""
        host = str(facts.get("NodeManagerHostname") or "node")
        return cls(facts["NodeID"], host, facts.get("Resources") or {}, facts.get("Labels") or {})

    @property
    def text(self) -> str:
        kinds = [name.partition(":")[2] for name in self.resources if name.startswith("accelerator_type:")]
        own = {key: value for key, value in self.labels.items() if not key.startswith("ray.io/")}
        gpus = f"{self.resources.get('GPU', 0):g} GPUs{' ' + ', '.join(kinds) if kinds else ''}"
        return f"{self.host} has {self.resources.get('CPU', 0):g} CPUs, {gpus}{f', labels {own}' if own else ''}"


def checked_wishes(slots: Sequence[Mapping[str, Any]] | None) -> list[Wish] | None:
    """`executor.slots`, None for none.

    Raises:
        ConfigError: a setting that a slot has not, or a value that is none.
    """
    if slots is None:
        return None
    if not slots:
        raise ConfigError("no slot is asked for", where="executor.slots", remedy="Leave it null, or name one.")
    return [_checked(slot, f"executor.slots[{index}]") for index, slot in enumerate(slots)]


def check_node_settings(
    slots: Sequence[Mapping[str, Any]] | None, *, threads: int | None, scratch: str | None, cache_gib: float
) -> None:
    """`executor.slots`, `threads`, `scratch` and `cache_gib`, before anything of a cluster is asked.

    Raises:
        ConfigError: one of them is not possible.
    """
    checked_wishes(slots)
    if threads is not None and not 1 <= threads <= MAX_COUNT:
        remedy = f"Give 1 to {MAX_COUNT}, or null for the slot's cpus."
        raise ConfigError(f"{threads} threads are not possible", where="executor.threads", remedy=remedy)
    if scratch is not None and not PurePath(scratch).is_absolute():
        what = f"{scratch!r} is no absolute path: nodes have other working folders"
        raise ConfigError(what, where="executor.scratch", remedy="Give a path such as /scratch, or null.")
    if not cache_gib >= 0:
        raise ConfigError(f"{cache_gib} GiB are not possible", where="executor.cache_gib", remedy="Give 0 or more.")


def _checked(slot: Mapping[str, Any], where: str) -> Wish:
    known = [each.name for each in fields(Wish)]
    if not isinstance(slot, Mapping) or (unknown := set(slot) - set(known)):
        what = f"a slot has no {', '.join(sorted(unknown))}" if isinstance(slot, Mapping) else f"{slot!r} is no slot"
        raise ConfigError(what, where=where, remedy=f"A slot may have {', '.join(known)}.")
    wish = Wish(**{key: value for key, value in slot.items() if value is not None})
    if not _is_number(wish.gpus) or not 0 <= wish.gpus <= 1:
        remedy = "Give 0 to 1: a trial runs on one GPU at most, and 0.25 lets four share one."
        raise ConfigError(f"{wish.gpus!r} is not possible", where=f"{where}.gpus", remedy=remedy)
    if not _is_number(wish.cpus) or not 0 < wish.cpus <= MAX_COUNT:
        raise ConfigError(f"{wish.cpus!r} is no number of CPUs", where=f"{where}.cpus", remedy="Give 1 or more.")
    if wish.count is not None and (not isinstance(wish.count, int) or not 1 <= wish.count <= MAX_COUNT):
        raise ConfigError(f"{wish.count!r} is no number of slots", where=f"{where}.count", remedy="Give 1 or more.")
    if not isinstance(wish.accelerator, str | None):
        raise ConfigError(f"{wish.accelerator!r} is no kind of GPU", where=f"{where}.accelerator")
    is_labels = isinstance(wish.labels, Mapping) and all(isinstance(value, str) for value in wish.labels.values())
    if not is_labels:
        raise ConfigError(f"{wish.labels!r} are no labels", where=f"{where}.labels", remedy="Give {name: text}.")
    return wish


def slots_of(node: Node, wishes: Sequence[Wish] | None) -> list[Wish]:
    """The slots that the node gets: as many of each wish as it can hold, in their order. Without wishes one for each
    GPU with an equal share of the cores, and on a node without any one with all of them.
    """
    cpus = node.resources.get("CPU", 0.0)
    gpus = [1.0] * int(node.resources.get("GPU", 0))
    if wishes is None:
        count = min(max(1, len(gpus)), int(cpus))
        return [Wish(1.0 if gpus else 0.0, float(cpus // count))] * count if count else []
    found = []
    for wish in wishes:
        if not _is_kind(node, wish):
            continue
        count = 0
        while wish.count is None or count < wish.count:
            place = next((index for index, left in enumerate(gpus) if left >= wish.gpus - _GRAIN), None)
            if cpus < wish.cpus - _GRAIN or (wish.gpus and place is None):
                break
            cpus -= wish.cpus
            if wish.gpus and place is not None:
                gpus[place] -= wish.gpus
            found.append(wish)
            count += 1
    return found


def unheld(nodes: Sequence[Node], wishes: Sequence[Wish] | None) -> list[Wish]:
    """The wishes that none of these nodes could hold, even if it held nothing else."""
    asked = [Wish()] if wishes is None else wishes
    return [wish for wish in asked if not any(slots_of(node, [wish]) for node in nodes)]


def unheld_text(nodes: Sequence[Node], wishes: Sequence[Wish]) -> str:
    """Who asks for what, and what there is."""
    asked = " nor ".join(wish.text for wish in wishes)
    return f"no node of the Ray cluster can hold a slot of {asked}: {'; '.join(node.text for node in nodes) or 'none'}"


def _is_kind(node: Node, wish: Wish) -> bool:
    has_kind = wish.accelerator is None or f"accelerator_type:{wish.accelerator}" in node.resources
    return has_kind and all(node.labels.get(key) == value for key, value in wish.labels.items())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
