"""What a strategy is to the others of a study: what verdicts, comparisons and further runs must know of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    """Facts of one strategy with its settings."""

    trains: bool = True
    """Whether any weight changes."""
    is_reference: bool = False
    """Whether it is a baseline for all others: who trains more than it does should beat it."""
    takes_few: bool = False
    """Whether it learns from k examples of train, whatever else train holds."""
