"""What a configuration may make by `_target_`: classes that say which node they belong to."""

from __future__ import annotations

from typing import ClassVar


class Component:
    """A class that a node of the configuration may name. The constructor's keyword-only arguments are its settings.

    Of ftsweep's own classes nothing else may be named: others do things when they are made, such as starting a
    process, and a sweep file or an exported model that came from elsewhere must not reach them.
    """

    component_kind: ClassVar[str]
    """The node that takes it: `model`, `data`, `task`, `strategy`, `executor`, `sampler`, `pruner`, `recording`,
    `report`, `figure` (an item of `report.figures`), `guards` (a node below it)."""
