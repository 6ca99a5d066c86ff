"""Scores of classes: precision, recall, F1, the confusion matrix and how far probabilities can be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import mul
from typing import TYPE_CHECKING, Any

from ftsweep.tasks.base import IGNORED, Tally

if TYPE_CHECKING:
    import torch

SCORES = ("precision", "recall", "f1-score")
NUM_BINS = 15
"""Equal-width bins of the probability, as in Guo et al. (2017), "On Calibration of Modern Neural Networks"."""


class ClassTally(Tally):
    """Sums the loss, a confusion matrix [label, prediction] and reliability bins on the device; outputs are logits."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._loss: torch.Tensor | None = None
        self._confusion: torch.Tensor | None = None
        self._bins: torch.Tensor | None = None

    def add(self, losses: torch.Tensor, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
        import torch

        labels, size = batch["labels"], len(self._labels)
        if self._loss is None or self._confusion is None or self._bins is None:
            self._loss = torch.zeros((), dtype=torch.float64, device=losses.device)
            self._confusion = torch.zeros(size**2, dtype=torch.long, device=losses.device)
            self._bins = new_bins(losses.device)
        counts = labels != IGNORED
        self._loss += losses.detach().double().sum()
        probability, prediction = outputs.detach().softmax(dim=-1).max(dim=-1)
        # index_add_ and not bincount: the latter waits for the device to learn its own length.
        self._confusion.index_add_(0, labels.clamp(min=0) * size + prediction, counts.long())
        add_to_bins(self._bins, probability, prediction == labels, counts)

    def values(self) -> dict[str, float]:
        loss = self._loss.item() if self._loss is not None else 0.0
        return class_values(loss, self._matrix(), self._bin_sums())

    def details(self) -> dict[str, Any]:
        """`report` (see `class_report`), `labels`, `confusion` [label][prediction] and `reliability` (see there)."""
        matrix = self._matrix()
        return {
            "report": class_report(self._labels, *_sums(matrix)),
            "labels": list(self._labels),
            "confusion": matrix,
            "reliability": reliability(self._bin_sums()),
        }

    def _matrix(self) -> list[list[int]]:
        size = len(self._labels)
        return self._confusion.view(size, size).tolist() if self._confusion is not None else [[0] * size] * size

    def _bin_sums(self) -> list[list[float]]:
        return self._bins.tolist() if self._bins is not None else [[0.0] * 3] * NUM_BINS


def class_values(loss: float, confusion: Sequence[Sequence[int]], bins: Sequence[Sequence[float]]) -> dict[str, float]:
    """Metrics from the summed loss, a confusion matrix [label, prediction] and reliability bins; NaN of no rows."""
    hits, predicted, supports = _sums(confusion)
    num_rows = sum(supports)
    if num_rows == 0:
        return dict.fromkeys(("loss", "accuracy", "macro_f1", "calibration_error"), math.nan)
    return {
        "loss": loss / num_rows,
        "accuracy": sum(hits) / num_rows,
        "macro_f1": macro_f1(hits, predicted, supports),
        "calibration_error": math.fsum(abs(right - probability) for _, probability, right in bins) / num_rows,
    }


def _sums(confusion: Sequence[Sequence[int]]) -> tuple[list[int], list[int], list[int]]:
    """Per label: right predictions, all predictions, rows."""
    size = range(len(confusion))
    hits = [confusion[label][label] for label in size]
    return hits, [sum(row[label] for row in confusion) for label in size], [sum(row) for row in confusion]


def macro_f1(hits: Sequence[int], predicted: Sequence[int], supports: Sequence[int]) -> float:
    """The mean over labels of 2 tp / (2 tp + fp + fn), 0 where that is 0 / 0."""
    scores = [class_entry(*sums)["f1-score"] for sums in zip(hits, predicted, supports, strict=True)]
    return math.fsum(scores) / len(scores)


def class_report(
    labels: Sequence[str], hits: Sequence[int], predicted: Sequence[int], supports: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Scores of each label and their means, as sklearn's classification_report spells them in a dictionary.

    `macro avg` counts every label alike, `weighted avg` by its support. A ratio of 0 / 0 is 0.
    """
    rows = [class_entry(*sums) for sums in zip(hits, predicted, supports, strict=True)]
    total = sum(supports)
    even, by_support = [1 / len(rows)] * len(rows), [_ratio(support, total) for support in supports]
    means = {
        name: {score: math.fsum(map(mul, (row[score] for row in rows), weights)) for score in SCORES}
        for name, weights in (("macro avg", even), ("weighted avg", by_support))
    }
    return {
        **dict(zip(labels, rows, strict=True)),
        **{name: {**mean, "support": total} for name, mean in means.items()},
    }


def class_entry(hits: int, predicted: int, support: int) -> dict[str, float]:
    """One line of a report."""
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, support),
        "f1-score": _ratio(2 * hits, predicted + support),
        "support": support,
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def new_bins(device: torch.device) -> torch.Tensor:
    """Empty reliability bins: rows, summed probability, how many came true. Shape [NUM_BINS, 3], float64."""
    import torch

    return torch.zeros((NUM_BINS, 3), dtype=torch.float64, device=device)


def add_to_bins(bins: torch.Tensor, probability: torch.Tensor, came_true: torch.Tensor, counts: torch.Tensor) -> None:
    """Add probabilities to the bins in place, all of one shape; only where `counts`. A bin has its upper bound."""
    import torch

    index = ((probability * NUM_BINS).ceil().long() - 1).clamp(0, NUM_BINS - 1)
    sums = torch.stack([torch.ones_like(probability), probability, came_true.to(probability.dtype)], dim=-1)
    bins.index_add_(0, index.flatten(), (sums * counts.unsqueeze(-1)).flatten(0, -2).double())


def reliability(bins: Sequence[Sequence[float]]) -> list[dict[str, float]]:
    """Each bin that has something: its bounds, count, mean probability and the share that came true."""
    return [
        {
            "low": index / NUM_BINS,
            "high": (index + 1) / NUM_BINS,
            "count": int(count),
            "probability": probability / count,
            "came_true": came_true / count,
        }
        for index, (count, probability, came_true) in enumerate(bins)
        if count
    ]
