"""What a study wants to know of forgetting: whether it is measured, on how much text, and the limit."""

from __future__ import annotations

import math
from typing import Literal, get_args

from ftsweep.domain.guard import Guard
from ftsweep.errors import ConfigError

Mode = Literal["off", "on"]

LEAST_TOKENS = 1024


class Forgetting(Guard):
    """How much worse than the base a trial has become on general text: loss after minus loss before, nats per token.

    Args:
        mode: on measures it at every rung, off does not.
        limit: a rung that lost more is not chosen; null measures without a limit.
        tokens: so much held-out general text is measured.
    """

    modes = get_args(Mode)

    def __init__(self, *, mode: Mode = "off", limit: float | None = 0.1, tokens: int = 64 * 512) -> None:
        super().__init__(mode)
        is_number = isinstance(limit, int | float) and not isinstance(limit, bool) and math.isfinite(limit)
        if limit is not None and not (is_number and limit >= 0):
            remedy = "Use nats per token, 0 or more, or null to measure without a limit."
            raise ConfigError(f"{limit!r} cannot be a limit", where="limit", remedy=remedy)
        if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < LEAST_TOKENS:
            remedy = f"Use at least {LEAST_TOKENS}: of less text the loss is chance."
            raise ConfigError(f"{tokens!r} tokens are not enough to measure on", where="tokens", remedy=remedy)
        self.limit = limit
        self.tokens = tokens
