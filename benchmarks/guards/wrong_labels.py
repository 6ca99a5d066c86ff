"""What share of labels looks wrong: the guard's estimate, and that of plain confident learning by the same model."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
from faults import CLASSES, flipped
from sets import DataSet

from ftsweep.data.likeness.duplicates import normalise
from ftsweep.guards.label_model import fold_probabilities, surest_rows

SHARES = (0.0, 0.05, 0.15)
SUREST = 0.15


def estimates(
    sets: Sequence[DataSet], seeds: Sequence[int]
) -> Iterator[tuple[str, float, float, list[float], list[float]]]:
    """By data set and planted share: the model's accuracy, the guard's estimates and those of confident learning."""
    for data in sets:
        for share in SHARES if data.name in CLASSES else ():
            accuracy, sure, plain = [], [], []
            for seed in seeds:
                rows = data.splits(seed)["train"]
                rows = flipped(share)(rows, random.Random(seed)) if share else rows
                labels = np.array([row["label"] for row in rows])
                texts = [normalise(row["text"]) or "" for row in rows]
                classes, probabilities = fold_probabilities(texts, labels, seed)
                likeliest = classes[probabilities.argmax(axis=1)]
                chosen = surest_rows(likeliest, probabilities.max(axis=1), SUREST)
                accuracy.append(float((likeliest == labels).mean()))
                sure.append(float((likeliest[chosen] != labels[chosen]).mean()))
                plain.append(_confident(classes, probabilities, labels))
            yield data.name, share, float(np.mean(accuracy)), sure, plain


def _confident(classes: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose most confident label is another (Northcutt et al. 2021: each class's own threshold)."""
    thresholds = np.array([probabilities[labels == label, place].mean() for place, label in enumerate(classes)])
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    is_sure = (confident > 0).any(axis=1)
    return float((is_sure & (classes[confident.argmax(axis=1)] != labels)).mean())
