"""How much of what is computed is padding: counted from the batch plan, nothing is trained.

A batch of n examples computes n times its longest one. The plan groups examples by length; the same batch sizes filled
in random order are the comparison.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from commands import fresh_folder
from jobs import prepared_data, trial_config
from measured import Result, result

from ftsweep.training.schedule import BatchPlan

_BATCH_SIZES = (8, 16, 32)


def measure(*, quick: bool = False) -> list[Result]:
    """Padding in percent of all computed tokens, one epoch of pydocs, grouped by length and not."""
    results = []
    overrides = ["data.limit=400"] if quick else []
    with fresh_folder() as folder:
        for sweep in ("quickstart", "instruction_pydocs"):
            lengths = train_lengths(sweep, overrides, folder)
            for batch_size in _BATCH_SIZES:
                plan = BatchPlan(lengths, batch_size=batch_size, epochs=1, seed=0)
                grouped = padding_share([lengths[plan.indices(step)] for step in range(plan.num_steps)])
                order = np.random.default_rng(0).permutation(lengths)
                spread = padding_share([order[at : at + batch_size] for at in range(0, len(order), batch_size)])
                named = f"padding of {sweep}, batch size {batch_size}"
                results.append(result(f"{named}: random order", 100 * spread, "%"))
                results.append(result(f"{named}: grouped by length", 100 * grouped, "%", below=100 * spread / 2))
    return results


def train_lengths(sweep: str, overrides: list[str], cache: Path) -> np.ndarray:
    """Tokens of each training example of a sweep's default trial."""
    return prepared_data(trial_config(sweep, overrides), cache).split("train").lengths


def padding_share(batches: list[np.ndarray]) -> float:
    """Padding among all computed tokens; each batch is given by its examples' lengths."""
    computed = sum(len(batch) * int(batch.max()) for batch in batches)
    return 1 - sum(int(batch.sum()) for batch in batches) / computed
