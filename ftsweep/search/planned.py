"""The settings a study tries before its sampler proposes any: each branch as written, then the enqueued ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.config.nodes.enqueued import enqueued_params
from ftsweep.domain.space import Branch


@dataclass(frozen=True)
class PlannedSetting:
    """A setting fixed beforehand: values by parameter name."""

    branch: Branch
    params: Mapping[str, Any]
    is_default: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        """The same for equal settings of a branch."""
        return self.branch.key(self.params)


class Plan:
    """Settings to be asked for before the sampler proposes any, and all that were asked for: none is twice."""

    def __init__(self, settings: Sequence[PlannedSetting]) -> None:
        self._waiting: dict[tuple[Any, ...], PlannedSetting] = {}
        self._asked: dict[tuple[Any, ...], int] = {}
        for setting in settings:
            self.add(setting)

    def __len__(self) -> int:
        """How many wait to be asked for."""
        return len(self._waiting)

    def __contains__(self, setting: PlannedSetting) -> bool:
        return setting.key in self._waiting

    def add(self, setting: PlannedSetting) -> None:
        """Behind those that wait, unless it is one of them or was asked for."""
        if setting.key not in self._asked:
            self._waiting.setdefault(setting.key, setting)

    def note(self, branch: Branch, params: Mapping[str, Any], number: int) -> None:
        """A trial with this setting is stored."""
        key = branch.key(params)
        self._asked[key] = number
        self._waiting.pop(key, None)

    def number_of(self, branch: Branch, params: Mapping[str, Any]) -> int | None:
        """The trial that has this setting."""
        return self._asked.get(branch.key(params))

    def first(self, avoid: Collection[str]) -> PlannedSetting | None:
        """The next one, of none of these branches."""
        return next((each for each in self._waiting.values() if each.branch.name not in avoid), None)

    @property
    def num_asked(self) -> int:
        """How many different settings were asked for."""
        return len(self._asked)


def planned_settings(branches: Sequence[Branch], enqueue: Sequence[Mapping[str, Any]] = ()) -> list[PlannedSetting]:
    """Every branch's default setting where it lies in the space, then the enqueued ones.

    Raises:
        ConfigError: an enqueued setting is none of the space, see `enqueued_params`.
    """
    defaults = [
        PlannedSetting(branch, branch.default_params(), is_default=True)
        for branch in branches
        if branch.has_default_in_space()
    ]
    return defaults + [
        PlannedSetting(*enqueued_params(branches, setting, where=f"study.enqueue[{index}]"))
        for index, setting in enumerate(enqueue)
    ]
