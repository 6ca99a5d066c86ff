"""How long a step takes with so many threads: what `executor.threads: auto` is decided by."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch

from ftsweep.evaluation.trial_parts import TrialParts
from ftsweep.store.folders import TrialFolder
from ftsweep.worker.components import Components

_NUM_ROUNDS = 3
_NUM_STEPS = 3
_LONGEST = 10.0  # seconds, after which no round begins
_LONG_STEP, _HOPELESS = 0.5, 1.5  # a step longer than this, and so much longer than the best, ends the first round


def time_threads(
    components: Components, parts: TrialParts, folder: TrialFolder, counts: Sequence[int]
) -> dict[str, Any]:
    """`step_seconds` by number of threads, the median of rounds in which the numbers take turns, and `memory_gib`, the
    most that this process has held. Numbers that long steps show to be too small are left out.

    Every number takes the same first steps of the configuration. Where its stages would have made the weights the base
    as it is stands in: they do not change what a step costs.
    """
    before, began = torch.get_num_threads(), time.monotonic()
    seconds: dict[int, list[float]] = {}
    try:
        for count in sorted(counts, reverse=True):  # what is slow already gets no faster with fewer
            torch.set_num_threads(count)
            seconds[count] = [_step_seconds(components, parts, folder)]
            if seconds[count][0] > max(_LONG_STEP, _HOPELESS * min(found[0] for found in seconds.values())):
                break
        while len(seconds[max(seconds)]) < _NUM_ROUNDS and time.monotonic() - began < _LONGEST:
            for count, found in seconds.items():
                torch.set_num_threads(count)
                found.append(_step_seconds(components, parts, folder))
    finally:
        torch.set_num_threads(before)
    return {
        "step_seconds": {str(count): median(found) for count, found in sorted(seconds.items())},
        "memory_gib": _peak_memory_gib(),
    }


def _step_seconds(components: Components, parts: TrialParts, folder: TrialFolder) -> float:
    base = components.lend_base(parts)
    run = components.begin_run(parts, base, folder)
    try:
        return run.step_seconds(num_steps=_NUM_STEPS)
    finally:
        components.bases.put_back(base, parts.strategy, run.model)


def _peak_memory_gib() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, others KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
