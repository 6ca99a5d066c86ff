"""How much each parameter decided about the values that a search reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Importances:
    """Shares of 1 by parameter, the greatest first; empty where nothing can be said."""

    shares: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Between which shares the middle 80 % lie when the trials are drawn again with replacement."""
