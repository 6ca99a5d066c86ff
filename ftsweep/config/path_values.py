"""Paths on the command line: taken as the text they are, where Hydra's grammar would make something else of them.

`data.train=/x/Lisbon, 2024/rows.jsonl` is a choice of two values to Hydra, and `model.path=a(b)` no value at all. A
path may not vary, so there is nothing else that it could mean.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, QuotedString, Sweep
from hydra.errors import HydraException

from ftsweep.domain.commands import override, spelled
from ftsweep.domain.paths import typed_path
from ftsweep.domain.space import leaves, value_at
from ftsweep.errors import ConfigError

_PATH_KEY = re.compile(
    r"(?:\+\+?)?((?:data|general|stages\.[^.=]+\.data)\.(?:train|validation|test)|model\.(?:path|store)|store\.path)"
)
_FUNCTION = re.compile(r"(choice|range|interval|glob|shuffle|sort|tag|extend_list)\(.*\)", re.DOTALL)


def path_override(line: str, where: str) -> tuple[str, Any] | None:
    """Key and value of an override that sets a path; None for any other.

    A file of that very name wins over everything that its characters could mean. Quotes, `null`, lists and escapes of
    Hydra's grammar are understood; interpolations stay.

    Raises:
        ConfigError: it asks for a sweep over paths.
    """
    name, equals, text = line.partition("=")
    found = _PATH_KEY.fullmatch(name.strip())
    if found is None or not equals:
        return None
    key, shown = found[1], text.strip()
    if text and os.path.lexists(typed_path(text)):
        return key, text.replace("${", r"\${")
    value = _parsed(f"{key}={text}")
    if isinstance(value, QuotedString):
        return key, value.text
    if _FUNCTION.fullmatch(shown):
        what = f"{key} is a path and cannot vary, and {shown!r} asks for a sweep"
        remedy = f"Give each one a study of its own; a path of that name is written {override(key, shown)}."
        raise ConfigError(what, where=where, remedy=remedy)
    if value is None and shown.lower() == "null":
        return key, None
    if isinstance(value, list | dict) and not isinstance(value, Sweep):
        return key, _plain(value)
    if isinstance(value, str) and not isinstance(value, Sweep | Glob):
        return key, value
    return key, shown


def with_absolute_paths(lines: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Overrides as any folder takes them: a path in them is that of the composed configurations, which is absolute.

    A mapping stays as it is; behind it stand overrides of the paths in it.
    """
    found: list[str] = []
    for line in lines:
        own = path_override(line, "command line")
        if own is not None:
            found.append(_set_anew(own[0], configs) or line)
            continue
        found.append(line)
        key, value = _mapping_of(line)
        found += filter(None, (_set_anew(each, configs) for each in leaves(value, key) if _PATH_KEY.fullmatch(each)))
    return tuple(found)


def _set_anew(key: str, configs: Sequence[Mapping[str, Any]]) -> str:
    """An override with the composed value of a path; "" where no branch has one."""
    for config in configs:
        with suppress(KeyError, TypeError):  # a stage, a key that this branch has not
            if (value := value_at(config, key)) is not None:
                return f"{key}={spelled(value)}"
    return ""


def _mapping_of(line: str) -> tuple[str, Any]:
    """Key and value of an override by a mapping; {} is the value of any other."""
    value = _parsed(line)
    return line.partition("=")[0].strip().lstrip("+"), _plain(value) if isinstance(value, dict) else {}


def _parsed(line: str) -> Any:
    try:
        parsed = OverridesParser.create().parse_override(line)
        return parsed._value if isinstance(parsed._value, QuotedString) else parsed.value()
    except (HydraException, ValueError):
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return {_plain(key): _plain(each) for key, each in value.items()} if isinstance(value, dict) else value
