"""A pool of recorded runs, from which simulated studies are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

import numpy as np

from ftsweep.store.atomic import read_json
from ftsweep.store.folders import TrialFolder
from ftsweep.store.row_scores import read_validation_losses


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

    @classmethod
    def of_runs(cls, folder: Path) -> Pool | None:
        """What record.py has recorded, of the seeds that every setting has been trained with; None below three."""
        settings = range(len(read_json(folder / "settings.json")))

        def is_made(seed: int) -> bool:
            return all((folder / f"{setting:02d}-{seed}" / "outcome.json").exists() for setting in settings)

        seeds = list(takewhile(is_made, count()))
        if len(seeds) < 3:
            return None
        runs = [[TrialFolder(folder / f"{setting:02d}-{seed}") for seed in seeds] for setting in settings]
        losses = [
            [
                [read_validation_losses(run.path, each.rung) for each in run.measurements() if each.rung]
                for run in of_setting
            ]
            for of_setting in runs
        ]
        costs = [float(of_setting[0].measurements()[-1].num_tokens) for of_setting in runs]
        return cls(np.array(losses, np.float32), np.array(costs))
