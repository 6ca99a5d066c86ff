"""What kind of component a class is, by the base classes that it derives from. Nothing is imported for it.

A `_target_` of ftsweep's own may name a component only: other classes of the package do things when they are made, such
as starting a process, and a sweep file or an exported model that came from elsewhere must not reach them.
"""

from __future__ import annotations

from ftsweep.errors import ConfigError

OWN_PACKAGE = "ftsweep"

BASES = {
    "model": "ftsweep.models.base.ModelSource",
    "data": "ftsweep.data.base.DataSource",
    "general": "ftsweep.data.base.DataSource",
    "task": "ftsweep.tasks.base.Task",
    "strategy": "ftsweep.strategies.base.Strategy",
    "executor": "ftsweep.executors.base.Executor",
    "sampler": "ftsweep.search.samplers.samplers.Sampler",
    "pruner": "ftsweep.search.pruners.pruners.Pruner",
    "recording": "ftsweep.recording.base.Recorder",
}
"""The base class of a group's components, by the last part of the node's dotted key."""

_OTHER_BASES = ("ftsweep.report.page.HtmlPage", "ftsweep.verdicts.trial.FitVerdicts")
_GUARDS = "ftsweep.guards."


def is_component(cls: type) -> bool:
    """Whether a configuration may make this class: a component of ftsweep, or any class of an allowed package."""
    if cls.__module__.partition(".")[0] != OWN_PACKAGE or cls.__module__.startswith(_GUARDS):
        return True
    return not _names(cls).isdisjoint((*BASES.values(), *_OTHER_BASES))


def check_kind(cls: type, group: str) -> None:
    """Refuse, say, a task where a strategy belongs.

    Raises:
        ConfigError: the class does not derive from the base class of the group's components.
    """
    base = BASES.get(group.rpartition(".")[2])
    if base is not None and base not in _names(cls):
        what = f"{cls.__module__}.{cls.__qualname__} is no {group.rpartition('.')[2]}"
        raise ConfigError(what, where=group, remedy=f"Name a class that derives from {base}.")


def _names(cls: type) -> set[str]:
    return {f"{each.__module__}.{each.__qualname__}" for each in cls.__mro__}
