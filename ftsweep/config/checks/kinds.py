"""Which node a class belongs to, as its base class says."""

from __future__ import annotations

from ftsweep.domain.component import Component
from ftsweep.errors import ConfigError

OWN_PACKAGE = "ftsweep"


def is_component(cls: type) -> bool:
    """Whether a configuration may make this class: a component of ftsweep, or any class of an allowed package."""
    return cls.__module__.partition(".")[0] != OWN_PACKAGE or issubclass(cls, Component)


def check_kind(cls: type, group: str) -> None:
    """Refuse, say, a task where a strategy belongs.

    Args:
        cls: the class that the node names.
        group: the node's dotted key (`model`, `guards.fit`, `stages.first.data`).

    Raises:
        ConfigError: the class does not derive from the base class of the node's components.
    """
    kind = _kind(group)
    if not issubclass(cls, Component) or getattr(cls, "component_kind", None) != kind:
        what = f"{cls.__module__}.{cls.__qualname__} is no {kind}"
        remedy = f"Name one of the classes that `ftsweep list {kind}` shows, or one that derives from their base class."
        raise ConfigError(what, where=group, remedy=remedy)


def _kind(group: str) -> str:
    if group.startswith("guards."):
        return "guards"
    last = group.rpartition(".")[2]
    return "data" if last == "general" else last
