"""One decorator for properties: a few fixed examples in the default suite, fresh ones for minutes with `make fuzz`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

SECONDS = float(os.environ.get("FTSWEEP_FUZZ_SECONDS", "0"))
"""Of every property; 0 is the default suite."""

_HANG = timedelta(seconds=60)
"""For one example, on a machine that is busy with other things."""

_BATCH = 20
"""Examples between two looks at the clock."""


def fuzz(num_examples: int, **strategies: Any) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Check the property on so many examples that are always the same, or on new ones until the time is over."""

    def decorate(check: Callable[..., None]) -> Callable[[], None]:
        def quick() -> None:
            _run(check, strategies, max_examples=num_examples, derandomize=True, deadline=None, database=None)

        def long() -> None:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                _run(check, strategies, max_examples=_BATCH, deadline=_HANG, print_blob=True)

        run = long if SECONDS else quick
        run.__name__, run.__doc__ = check.__name__, check.__doc__
        return run

    return decorate


def _run(check: Callable[..., None], strategies: dict[str, Any], **chosen: Any) -> None:
    def example(**values: Any) -> None:
        check(**values)

    example.__name__ = example.__qualname__ = check.__name__
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)
    settings(suppress_health_check=list(HealthCheck), phases=phases, **chosen)(given(**strategies)(example))()
