"""The command line's `key=value`, read with Hydra's own parser; its sweep grammar becomes entries of the space."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Sweep,
)
from hydra.errors import HydraException

from ftsweep.config.checks.size import check_line
from ftsweep.config.path_values import path_override
from ftsweep.config.schema import SPACE_NODES
from ftsweep.domain.commands import override as as_text
from ftsweep.errors import ConfigError

SEARCH_PATH = "hydra.searchpath"


@dataclass(frozen=True)
class GroupChoice:
    """`strategy=full`: another file of a config group."""

    group: str
    choice: str
    where: str = "command line"


@dataclass(frozen=True)
class Assignment:
    """`training.epochs=2`; `replaces` when the old value may not shine through (a dimension), `removes` for `~key`."""

    key: str
    value: Any
    line: str
    replaces: bool = False
    removes: bool = False


@dataclass(frozen=True)
class Overrides:
    choices: tuple[GroupChoice, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    search_path: tuple[str, ...] = ()

    def line_of(self, key: str) -> str | None:
        """The last override that set this key, something above it or something below it."""
        for each in reversed(self.assignments):
            if f"{key}.".startswith(f"{each.key}.") or f"{each.key}.".startswith(f"{key}."):
                return each.line
        return None


def parse_overrides(lines: Sequence[str], *, groups: Collection[str], where: str = "command line") -> Overrides:
    """Read overrides in order. A `+` or `++` before a key is allowed and means nothing: unknown keys are refused later.

    Raises:
        ConfigError: the text is not Hydra's grammar, or it asks for what a sweep cannot do.
    """
    choices: list[GroupChoice] = []
    assignments: list[Assignment] = []
    search_path: tuple[str, ...] = ()
    for line in lines:
        check_line(line, where)
        if (path := path_override(line, where)) is not None:
            assignments.append(Assignment(*path, line))
            continue
        override = _parse(line, where)
        key = override.key_or_group
        if not key:
            raise ConfigError(f"{line!r} names no key", where=where, remedy="Write key=value.")
        if key == SEARCH_PATH:
            search_path = _search_path(override, where)
        elif override.package is not None and key in groups:
            choices.append(_group_choice(override, where))
        elif override.package is not None or key.startswith(("hydra.", "hydra/")) or "/" in key:
            remedy = f"Of Hydra's own settings only {SEARCH_PATH} has a meaning; groups are chosen as group=choice."
            raise ConfigError(f"{line!r} is not supported", where=where, remedy=remedy)
        elif key in groups and not isinstance(override.value(), dict):
            choices.append(_group_choice(override, where))
        else:
            assignments.append(_assignment(override, where))
    return Overrides(tuple(choices), tuple(assignments), search_path)


def _parse(line: str, where: str) -> Override:
    try:
        return OverridesParser.create().parse_override(line)
    except (HydraException, ValueError) as error:  # ValueError: a number of more digits than Python reads
        reason = str(error).splitlines()[0]
        key, equals, text = line.partition("=")
        shown = as_text(key, text) if equals and key and not text.startswith(("'", '"')) else "key='\"a b\"'"
        remedy = f"Write key=value; values with special characters in quotes of their own: {shown}."
        raise ConfigError(f"{line!r} cannot be read: {reason}", where=where, remedy=remedy) from None


def _group_choice(override: Override, where: str) -> GroupChoice:
    value, line, group = override.value(), override.input_line or "", override.key_or_group
    if isinstance(value, Sweep | Glob):
        remedy = f"Give each choice a branch: branches: {{a: {{{group}: ...}}, b: {{{group}: ...}}}} in the sweep file."
        raise ConfigError(f"{line!r} asks to sweep over the group {group!r}", where=where, remedy=remedy)
    if override.is_delete() or not isinstance(value, str) or not value:
        raise ConfigError(f"{line!r} does not name one choice of {group!r}", where=where, remedy=f"Write {group}=NAME.")
    return GroupChoice(f"{group}@{override.package}" if override.package else group, value, where)


def _assignment(override: Override, where: str) -> Assignment:
    key, line, value = override.key_or_group, override.input_line or "", override.value()
    if override.is_delete():
        return Assignment(key, None, line, removes=True)
    if not isinstance(value, Sweep | Glob):
        return Assignment(key, value, line)
    if key.split(".")[0] in ("space", "branches"):
        remedy = "Write a list, key=[8,16], or an interval, key={low:1,high:3}; or the sweep without `space.`."
        raise ConfigError(f"{line!r} puts a sweep inside {key.split('.')[0]}", where=where, remedy=remedy)
    if key.split(".")[0] not in SPACE_NODES:
        text = (override.input_line or "").partition("=")[2]
        what = f"{line!r} makes a choice of several values of {key}, and that may not vary"
        remedy = f"A value with a comma is quoted: {as_text(key, text)}. What may vary: {', '.join(SPACE_NODES)}."
        raise ConfigError(what, where=where, remedy=remedy)
    return Assignment(f"space.{key}", _dimension(value, line, where), line, replaces=True)


def _dimension(sweep: Any, line: str, where: str) -> Any:
    """A sweep as the space spells it: a list, or {low, high}."""
    if getattr(sweep, "shuffle", False):
        raise ConfigError(f"{line!r} shuffles", where=where, remedy="The sampler decides the order; leave shuffle out.")
    if isinstance(sweep, ChoiceSweep):
        _refuse_tags(sweep, {"choice"}, line, where)
        return [_unquoted(value) for value in sweep.list]
    if isinstance(sweep, RangeSweep):
        _refuse_tags(sweep, set(), line, where)
        return _range_values(sweep, line, where)
    if isinstance(sweep, IntervalSweep):
        _refuse_tags(sweep, {"log"}, line, where)
        ends = {"low": sweep.start, "high": sweep.end}
        return {**ends, "log": True} if "log" in sweep.tags else ends
    raise ConfigError(f"{line!r} uses glob", where=where, remedy="Name the values: choice(a,b).")


def _range_values(sweep: RangeSweep, line: str, where: str) -> list[int | float]:
    """The values of range(start, stop, step), the stop excluded as Hydra has it."""
    start, stop, step = sweep.start, sweep.stop, sweep.step
    if start is None or stop is None or not step or not all(math.isfinite(number) for number in (start, stop, step)):
        raise ConfigError(f"{line!r} is not a range", where=where, remedy="Write range(start,stop,step), step not 0.")
    if abs(stop - start) / abs(step) > 1000:
        remedy = "Use interval(low,high) instead."
        raise ConfigError(f"{line!r} has more than 1000 values", where=where, remedy=remedy)
    return list(sweep.range())


def _refuse_tags(sweep: Sweep, known: set[str], line: str, where: str) -> None:
    unknown = sorted(sweep.tags - known)
    if unknown:
        remedy = "Only tag(log,interval(low,high)) has a meaning."
        raise ConfigError(f"{line!r} carries the tag {unknown[0]!r}", where=where, remedy=remedy)


def _search_path(override: Override, where: str) -> tuple[str, ...]:
    value = override.value()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        remedy = f"Write {SEARCH_PATH}=[/a/folder,pkg://a.package]."
        raise ConfigError(f"{SEARCH_PATH} must be a list of texts", where=where, remedy=remedy)
    return tuple(value)


def _unquoted(value: Any) -> Any:
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_unquoted(each) for each in value]
    if isinstance(value, dict):
        return {_unquoted(key): _unquoted(each) for key, each in value.items()}
    return value
