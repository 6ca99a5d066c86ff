"""A pool of recorded runs, from which simulated studies are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Pool:
    """Every setting trained with every seed, and what each run lost on one held-out set. Setting 0 is the default.

    `losses` [settings, seeds, rungs, rows] float32; `costs` [settings], of one run, in any unit.
    """

    losses: np.ndarray
    costs: np.ndarray

    def write(self, file: Path) -> None:
        np.savez(file, losses=self.losses, costs=self.costs)

    @classmethod
    def read(cls, file: Path) -> Pool:
        with np.load(file) as arrays:
            return cls(arrays["losses"], arrays["costs"])
