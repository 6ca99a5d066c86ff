"""A setting that somebody wants tried (`study.enqueue`, `ftsweep enqueue`), read into values of one branch's space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftsweep.domain.space import Branch, value_at
from ftsweep.errors import ConfigError, suggest


def enqueued_params(
    branches: Sequence[Branch], setting: Mapping[str, Any], *, where: str
) -> tuple[Branch, dict[str, Any]]:
    """The branch that a setting belongs to, and all values by parameter name.

    A setting maps dotted or nested names to values. With several branches it names its branch, as `branch: lora` or as
    prefix of its names. What it leaves out has the configuration's own value.

    Raises:
        ConfigError: an unknown name, a value outside the space, or no clear branch.
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
    return branch, params


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
    values = {str(name): value for name, value in setting.items()}
    chosen = values.pop("branch", None)
    if chosen is not None and chosen not in list(by_name):
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
    paths = set(by_name[chosen].space.dimensions)
    for name, value in values.items():
        head, _, rest = name.partition(".")
        if paths & _flat({name: value}, paths).keys():  # also where the branch is called as a node is
            inner[name] = value
        elif head == chosen and rest:
            inner[rest] = value
        elif head == chosen and isinstance(value, Mapping):
            inner.update(value)
        else:
            inner[name] = value
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
