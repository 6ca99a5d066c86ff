"""The settings a study tries before its sampler proposes any: each branch as written, then the enqueued ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftsweep.domain.space import Branch, value_at
from ftsweep.errors import ConfigError, suggest


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

    An enqueued setting maps dotted or nested names to values. With several branches it names its branch, as
    `branch: lora` or as prefix of its names. What it leaves out has the configuration's own value.

    Raises:
        ConfigError: an unknown name, a value outside the space, or no clear branch.
    """
    defaults = [
        PlannedSetting(branch, branch.default_params(), is_default=True)
        for branch in branches
        if branch.has_default_in_space()
    ]
    return defaults + [
        enqueued_setting(branches, setting, where=f"study.enqueue[{index}]") for index, setting in enumerate(enqueue)
    ]


def enqueued_setting(branches: Sequence[Branch], setting: Mapping[str, Any], *, where: str) -> PlannedSetting:
    """A setting as `study.enqueue` has it, of the branch that it names, made whole.

    Raises:
        ConfigError: see `planned_settings`.
    """
    branch, values = _branch_of(branches, setting, where=where)
    given = _flat(values, known=set(branch.space.dimensions))
    for name in given:
        if name not in branch.space.dimensions:
            raise ConfigError(
                f"{name!r} is not in the space of {_branch_text(branch)}",
                where=where,
                remedy=suggest(name, branch.space.dimensions),
            )
    params = {}
    for path, dimension in branch.space.dimensions.items():
        value = given[path] if path in given else value_at(branch.config, path)
        if not dimension.contains(value):
            source = "" if path in given else ", which the configuration has because the setting leaves it out,"
            raise ConfigError(
                f"{branch.param_name(path)}={value!r}{source} lies outside the space {dimension}",
                where=where,
                remedy="Give a value inside it, or widen the space.",
            )
        params[branch.param_name(path)] = dimension.normal(value)
    return PlannedSetting(branch, params)


def as_setting(branch: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Values by parameter name as a setting that names its branch, with dotted paths."""
    by_path = {name.removeprefix(f"{branch}.") if branch else name: value for name, value in params.items()}
    return {"branch": branch, **by_path} if branch else by_path


def _branch_of(
    branches: Sequence[Branch], setting: Mapping[str, Any], *, where: str
) -> tuple[Branch, Mapping[str, Any]]:
    """The branch a setting belongs to, and its values by dotted or nested path without the branch's name."""
    by_name = {branch.name: branch for branch in branches}
    if len(branches) == 1 and not branches[0].name:
        return branches[0], setting
    values = dict(setting)
    chosen = values.pop("branch", None)
    if chosen is not None and chosen not in by_name:
        raise ConfigError(f"there is no branch {chosen!r}", where=where, remedy=suggest(str(chosen), by_name))
    prefixes = {name.split(".", 1)[0] for name in values} & by_name.keys()
    if chosen is None:
        if len(prefixes) != 1 and len(branches) > 1:
            raise ConfigError(
                "the setting does not say to which one branch it belongs",
                where=where,
                remedy=f"Add `branch: ...`, or begin its names with the branch's. {suggest('', by_name)}",
            )
        chosen = next(iter(prefixes), branches[0].name)
    inner: dict[str, Any] = {}
    for name, value in values.items():
        head, _, rest = name.partition(".")
        if head != chosen:
            inner[name] = value
        elif rest:
            inner[rest] = value
        elif isinstance(value, Mapping):
            inner.update(value)
    return by_name[chosen], inner


def _flat(values: Mapping[str, Any], known: set[str], prefix: str = "") -> dict[str, Any]:
    """Nested names as dotted ones; a mapping that is itself the value of a dimension stays whole."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and name not in known:
            flat.update(_flat(value, known, f"{name}."))
        else:
            flat[name] = value
    return flat


def _branch_text(branch: Branch) -> str:
    return f"branch {branch.name!r}" if branch.name else "the sweep"
