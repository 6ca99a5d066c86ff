"""What stands under `guards`: a check of the data, the judge of trials, the limit on forgetting. Each has a mode."""

from __future__ import annotations

from typing import ClassVar

from ftsweep.domain.component import Component
from ftsweep.errors import ConfigError


class Guard(Component):
    """Something that watches over a study, in one of its `modes`."""

    component_kind = "guards"
    modes: ClassVar[tuple[str, ...]]
    """The modes it knows; `off` is one of them."""

    def __init__(self, mode: str) -> None:
        if mode not in self.modes:
            *first, last = self.modes
            remedy = f"Use {', '.join(first)} or {last}."
            raise ConfigError(f"{mode!r} is not a mode", where="mode", remedy=remedy)
        self.mode = mode

    @property
    def is_on(self) -> bool:
        return self.mode != "off"
