"""Checking a value against a type annotation, and settings against a signature; strict, in the terms of the config."""

from __future__ import annotations

import dataclasses
import inspect
import json
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ftsweep.domain.spelling import param
from ftsweep.errors import suggest


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One setting that a class takes."""

    annotation: Any = inspect.Parameter.empty
    default: Any = inspect.Parameter.empty

    @property
    def is_required(self) -> bool:
        return self.default is inspect.Parameter.empty


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with one key."""

    key: str
    what: str
    remedy: str = ""


@lru_cache(maxsize=256)
def parameters(cls: type) -> Mapping[str, Parameter]:
    """The settings that a class's constructor takes, by name. Annotations that cannot be evaluated are left out."""
    hints = _hints(cls)
    return {
        name: Parameter(hints.get(name, inspect.Parameter.empty), parameter.default)
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }


def settings_problem(cls: type, settings: Mapping[str, Any]) -> Problem | None:
    """The first reason why `cls(**settings)` cannot be right: unknown, mistyped or missing settings."""
    known = parameters(cls)
    for key in settings:
        if key not in known and not _takes_any_key(cls):
            remedy = suggest(str(key), known) if known else "This choice has no settings."
            return Problem(str(key), "this key does not exist", remedy)
    for key, value in settings.items():
        what = value_problem(known.get(key, Parameter()).annotation, value)
        if what:
            return Problem(key, what)
    for key, parameter in known.items():
        if parameter.is_required and key not in settings:
            return Problem(key, "this key must be given")
    return None


def value_problem(annotation: Any, value: Any) -> str | None:
    """Why a JSON value is not of the annotated type; None when it is. Nothing is converted: 8.0 and "8" are no int."""
    if annotation is inspect.Parameter.empty or (_holds_component(value) and _adapter(annotation) is None):
        return None  # the second: one class of component may take another
    from pydantic import ValidationError

    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        return f"{_spelled(value)} is not possible: numbers must be finite"
    except TypeError:
        return f"{value!r} is not a plain value"
    adapter = _adapter(annotation)
    if adapter is None:
        return None
    try:
        adapter.validate_json(text, strict=True)
    except ValidationError as error:
        reasons = dict.fromkeys(_place(detail) + _lowered(detail["msg"]) for detail in error.errors(include_url=False))
        return f"{_spelled(value)} is not possible: " + ", or ".join(reasons)
    return None


def _spelled(value: Any) -> str:
    """As a sweep file has it; text in quotes."""
    return param(value) if value is None or isinstance(value, bool) else repr(value)


@lru_cache(maxsize=512)
def _cached_adapter(annotation: Any) -> Any:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter(annotation)
    except PydanticUserError:  # a type that pydantic does not know, such as a user's own class
        return None


def _adapter(annotation: Any) -> Any:
    try:
        return _cached_adapter(annotation)
    except TypeError:  # unhashable annotation (a list inside Annotated)
        return _cached_adapter.__wrapped__(annotation)


def _hints(cls: type) -> dict[str, Any]:
    owner: Any = cls if dataclasses.is_dataclass(cls) else cls.__init__  # type: ignore[misc]
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except (NameError, TypeError):  # names imported for type checkers only
        return {}


def _takes_any_key(cls: type) -> bool:
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(cls).parameters.values())


def _holds_component(value: Any) -> bool:
    return isinstance(value, Mapping) and "_target_" in value


def _place(detail: Any) -> str:
    inside = [str(part) for part in detail["loc"] if isinstance(part, int)]
    return f"item {inside[0]}: " if inside else ""


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
