"""The argument by which models of transformers take keys and values of what stands before their input."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any


def cache_argument(function: Callable[..., Any]) -> str | None:
    """Its name, where `function` (a model's forward, or what makes a mask) has it; else None."""
    name = _name()
    return name if name in signature(function).parameters else None


def with_cache(function: Callable[..., Any], kept: Any) -> dict[str, Any]:
    """`kept`, a cache, as a keyword of `function`. Raises TypeError where it takes none."""
    name = cache_argument(function)
    if name is None:
        raise TypeError(f"{function} takes no keys and values")
    return {name: kept}


@cache
def _name() -> str:
    """As the installed transformers has it: `cache` since 5.24, which warns of `past_key_values`, the one before.

    Before, too, some models had a `cache` (XLM): another one, of their own.
    """
    from transformers.masking_utils import create_causal_mask

    return next(name for name in ("cache", "past_key_values") if name in signature(create_causal_mask).parameters)
