"""Why a search comes to its end before its number of trials."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Halt:
    """Why no new trial starts, as a sentence, and what becomes of those under way."""

    text: str
    sets_aside: bool = False
    """Trials under way checkpoint and wait for a run that goes on; otherwise they finish."""
