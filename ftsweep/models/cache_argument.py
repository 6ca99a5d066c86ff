"""The argument by which models of transformers take keys and values of what stands before their input."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

_NAMES = ("cache", "past_key_values")  # since transformers 5.24, which warns of the other one, and before


def cache_argument(function: Callable[..., Any]) -> str | None:
    """Its name, as `function` (a model's forward, or what makes a mask) has it; None where it has none."""
    taken = signature(function).parameters
    return next((name for name in _NAMES if name in taken), None)


def with_cache(function: Callable[..., Any], cache: Any) -> dict[str, Any]:
    """`cache` as a keyword of `function`. Raises TypeError where it takes none."""
    name = cache_argument(function)
    if name is None:
        raise TypeError(f"{function} takes no keys and values")
    return {name: cache}
