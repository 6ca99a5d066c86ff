"""The scores of pairs of answers: how often the chosen one is ahead, and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ftsweep.tasks.base import Tally

if TYPE_CHECKING:
    import numpy as np
    import torch

METRICS = ("loss", "accuracy", "ranking_accuracy", "margin")


class PairTally(Tally):
    """Sums losses, pairs and margins on the device. A tie is half a right answer, so that a model that is its own
    reference has an accuracy of one half."""

    def __init__(self) -> None:
        self._sums: torch.Tensor | None = None

    def add(self, losses: torch.Tensor, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
        import torch

        ahead = (torch.sign(outputs) + 1) / 2  # [rows, 2]
        parts = [losses.detach(), ahead[:, 0], ahead[:, 1], outputs[:, 0], torch.ones_like(losses)]
        sums = torch.stack([part.double().sum() for part in parts])
        self._sums = sums if self._sums is None else self._sums + sums

    def values(self) -> dict[str, float]:
        if self._sums is None:
            return dict.fromkeys(METRICS, math.nan)
        *sums, count = self._sums.tolist()
        return {metric: total / count for metric, total in zip(METRICS, sums, strict=True)}


def resampled_pairs(units: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """`accuracy`, `ranking_accuracy` and `margin` of rows that count as often as `weights` [resamples, rows] say."""
    import numpy as np

    ahead = (np.sign(scores) + 1) / 2
    count = np.maximum(weights @ units.astype(np.float64), 1.0)
    columns = {"accuracy": ahead[:, 0], "ranking_accuracy": ahead[:, 1], "margin": scores[:, 0]}
    return {name: (weights @ column.astype(np.float64)) / count for name, column in columns.items()}
