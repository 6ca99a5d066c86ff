"""What forgetting is called wherever it is measured, and the words for how much it is."""

from __future__ import annotations

NAME = "forgetting"
"""The guard's name, and that of its constraint."""

LOSS = "general/loss"
FORGETTING = "general/forgetting"
"""Nats per token of general text by which a model is worse than the untouched base."""

BANDS = ((0.02, "none"), (0.10, "mild"), (0.25, "moderate"))
"""Up to so many nats per token; above the last it is severe."""


def band(forgetting: float) -> str:
    """`none`, `mild`, `moderate` or `severe`; a model that became better at general text has forgotten none."""
    return next((name for most, name in BANDS if forgetting <= most), "severe")
