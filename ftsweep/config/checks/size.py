"""What a configuration may hold, so that reading it comes to an end and says the same everywhere.

A few lines of YAML can describe more than any memory holds (a list of ten aliases of a list of ten aliases ...), and so
can interpolations. An interpolation may also read the environment, where secrets are, and what it found would be kept
with the study.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml  # type: ignore[import-untyped]

from ftsweep.errors import ConfigError
from ftsweep.redaction import has_password

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 100_000
"""Settings and items of a file, those that aliases repeat counted as often as they are repeated."""
MAX_WHOLE = 2**63 - 1

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REFERENCE = re.compile(r"(?<!\\)\$\{\s*([^${}:\s]+)\s*\}")
_RESOLVER = re.compile(r"(?<!\\)\$\{\s*(env|oc\.env|now|hydra)\s*:|(?<!\\)\$\{[^{}:]*\$\{[^{}]*\}[^{}:]*:")
_UNSAFE = re.compile("[\0\ud800-\udfff]")


def check_yaml(text: str, where: str) -> None:
    """Refuse text that would be too much to read. What is no YAML passes: its reader says so better.

    Raises:
        ConfigError: too long, too deep, or too much once its aliases are written out.
    """
    if len(text) > MAX_BYTES:
        raise _too_much(where, f"{len(text)} characters, at most {MAX_BYTES} are read")
    try:
        for line, depth, count in _growth(text):
            if depth > MAX_DEPTH:
                raise _too_much(f"{where}:{line}", f"values nested more than {MAX_DEPTH} deep")
            if count > MAX_VALUES:
                raise _too_much(f"{where}:{line}", f"aliases that make more than {MAX_VALUES} values of it")
    except yaml.YAMLError:
        return


def check_tree(tree: Any, where: str) -> None:
    """Refuse what no trial could use, before interpolations are followed.

    Raises:
        ConfigError: numbers beyond 64 bits, text that no file can hold, interpolations that read the environment or
            grow without end, trees that are too deep.
    """
    strings: dict[str, str] = {}
    for key, value, depth in _leaves(tree):
        place = f"{where}: {key}"
        if depth > MAX_DEPTH:
            raise _too_much(place.partition(".")[0], f"values nested more than {MAX_DEPTH} deep")
        if isinstance(value, int) and abs(value) > MAX_WHOLE:
            raise ConfigError("this whole number is too large", where=place, remedy=f"At most {MAX_WHOLE} is taken.")
        if isinstance(value, str):
            _check_string(value, place)
            if "${" in value:
                strings[key] = value
    _check_expansion(strings, where)


def check_line(line: str, where: str) -> None:
    """Refuse an override that is too much to parse.

    Raises:
        ConfigError: too long, too deep, or with a character that no file can hold.
    """
    depth = deepest = 0
    for character in line:
        depth += (character in "[{(") - (character in "]})")
        deepest = max(deepest, depth)
    if len(line) > MAX_BYTES or max(deepest, line.partition("=")[0].count(".")) > MAX_DEPTH:
        raise _too_much(where, f"an override of {len(line)} characters, nested more than {MAX_DEPTH} deep")
    if _UNSAFE.search(line):
        raise ConfigError(f"{line[:40]!r} holds a character that no file can hold", where=where, remedy="Remove it.")


def _check_string(value: str, place: str) -> None:
    if _UNSAFE.search(value):
        what = f"{value[:40]!r} holds a character that no file can hold"
        raise ConfigError(what, where=place, remedy="Remove it.")
    if has_password(value):
        remedy = (
            "Give it in the environment: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD for an MLflow server, "
            "PGPASSWORD or the driver's own file for a database."
        )
        raise ConfigError("a password in an address would be kept with the study", where=place, remedy=remedy)
    found = _RESOLVER.search(value)
    if found:
        what = f"`{found[0]}...` would read what is not in the configuration, and keep it with the study"
        remedy = 'Give the value on the command line, where your shell fills it in: key="$NAME".'
        raise ConfigError(what, where=place, remedy=remedy)


def _growth(text: str) -> Iterator[tuple[int, int, int]]:
    """Line, depth and the number of values so far, after each event of the text; aliases count what they stand for."""
    counts = [0]  # of the open collections, the document's first
    names: list[str | None] = []
    sizes: dict[str, int] = {}
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            counts.append(1)
            names.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            size, name = counts.pop(), names.pop()
            counts[-1] += size
            if name is not None:
                sizes[name] = size
        elif isinstance(event, yaml.AliasEvent):
            counts[-1] += MAX_VALUES if event.anchor in names else sizes.get(event.anchor, 1)  # or it holds itself
        elif isinstance(event, yaml.ScalarEvent):
            counts[-1] += 1
        yield event.start_mark.line + 1, len(names), sum(counts)


def _leaves(tree: Any) -> Iterator[tuple[str, Any, int]]:
    """Every value that is no collection and every key, with its dotted key and depth; without recursion."""
    rest: list[tuple[str, Any, int]] = [("", tree, 0)]
    while rest:
        key, value, depth = rest.pop()
        if depth > MAX_DEPTH or not isinstance(value, Mapping | list | tuple):
            yield key, value, depth
        elif isinstance(value, Mapping):
            for name in value:
                yield f"{key}.{name}".lstrip("."), name, depth
            rest += [(f"{key}.{name}" if key else str(name), each, depth + 1) for name, each in value.items()]
        else:
            rest += [(f"{key}[{index}]", each, depth + 1) for index, each in enumerate(value)]


def _check_expansion(strings: Mapping[str, str], where: str) -> None:
    """Refuse interpolations that refer to each other so often that following them would not end."""
    held: dict[str, list[str]] = {}  # strings with interpolations at or below a key
    for key in strings:
        parts = key.split(".")
        for depth in range(1, len(parts) + 1):
            held.setdefault(".".join(parts[:depth]), []).append(key)
    sizes: dict[str, int] = {}
    for start in strings:
        stack = [(start, False)]
        while stack:
            key, is_open = stack.pop()
            inside = [each for name in _references(key, strings[key]) for each in held.get(name, ())]
            if is_open:
                sizes[key] = min(1 + sum(max(sizes[each], 1) for each in inside), MAX_VALUES + 1)
            elif key not in sizes:
                sizes[key] = 0  # under way; a circle is the resolver's to refuse
                stack += [(key, True), *((each, False) for each in inside if each not in sizes)]
        if sizes[start] > MAX_VALUES:
            what = f"interpolations that would be followed more than {MAX_VALUES} times"
            raise _too_much(f"{where}: {start}", what)


def _references(key: str, text: str) -> Iterator[str]:
    """The keys that a string at this key refers to; with dots before it a reference counts from the string's place."""
    for name in _REFERENCE.findall(text):
        plain = name.lstrip(".")
        num_up = len(name) - len(plain)
        yield ".".join([*key.split(".")[:-num_up], plain]) if num_up else plain


def _too_much(where: str, what: str) -> ConfigError:
    return ConfigError(f"this is too much to read: {what}", where=where, remedy="Make it smaller.")
