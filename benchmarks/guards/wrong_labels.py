"""What share of labels looks wrong: the guard's estimate, and that of plain confident learning by the same model."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from faults import CLASSES, flipped
from sets import DataSet

from ftsweep.data.likeness.duplicates import normalise
from ftsweep.guards.label_model import fold_probabilities, is_floor, surest_rows

SHARES = (0.0, 0.03, 0.05, 0.1, 0.15, 0.2)
SUREST = 0.15
NUM_ROWS = 3_000
NUM_WORDS = 400
ORDERED = {
    "order of words, 2 labels": (1, 1),
    "order of words, 5 labels": (1,) * 5,
    "order of words, 8 labels": (1,) * 8,
    "order of words, 9:1": (9, 1),
    "order of words, 6:2:1": (6, 2, 1),
}
"""By name the labels' shares."""
HINTED = {"words and half as much hidden": 0.5, "words and as much hidden": 1.0, "words and twice as much hidden": 2.0}


@dataclass(frozen=True)
class Estimates:
    """What is said of one set with one share of flipped labels, a value per seed."""

    name: str
    flipped: float
    accuracy: list[float]
    """Of the model of words, on rows that it has not seen."""
    sure: list[float]
    """The contradicted share of the surest rows, which is the guard's estimate where it makes one."""
    has_rate: list[bool]
    confident: list[float]
    """The estimate of plain confident learning."""


def estimates(sets: Sequence[DataSet], seeds: Sequence[int]) -> Iterator[Estimates]:
    """By data set and planted share; then generated tasks whose labels are right and words tell little or nothing."""
    for data in sets:
        for share in SHARES if data.name in CLASSES else ():
            drawn = []
            for seed in seeds:
                rows = data.splits(seed)["train"]
                rows = flipped(share)(rows, random.Random(seed)) if share else rows
                texts = [normalise(row["text"]) or "" for row in rows]
                drawn.append((texts, np.array([row["label"] for row in rows])))
            yield _estimates(data.name, share, drawn)
    for name, shares in ORDERED.items():
        yield _estimates(name, 0.0, [_ordered(shares, seed) for seed in seeds])
    for name, hidden in HINTED.items():
        yield _estimates(name, 0.0, [_hinted(hidden, seed) for seed in seeds])


def _estimates(name: str, share: float, drawn: Sequence[tuple[list[str], np.ndarray]]) -> Estimates:
    found = Estimates(name, share, [], [], [], [])
    for seed, (texts, labels) in enumerate(drawn):
        classes, probabilities = fold_probabilities(texts, labels, seed)
        likeliest, confidence = classes[probabilities.argmax(axis=1)], probabilities.max(axis=1)
        chosen = surest_rows(likeliest, confidence, SUREST)
        found.accuracy.append(float((likeliest == labels).mean()))
        found.sure.append(float((likeliest[chosen] != labels[chosen]).mean()))
        found.has_rate.append(is_floor(likeliest, labels, confidence, SUREST))
        found.confident.append(_confident(classes, probabilities, labels))
    return found


def _ordered(shares: Sequence[float], seed: int) -> tuple[list[str], np.ndarray]:
    """The label lies in the order of a row's words."""
    generator = np.random.default_rng([seed, 1])
    labels = generator.choice(len(shares), size=NUM_ROWS, p=np.array(shares) / sum(shares))
    words = np.sort(generator.integers(0, NUM_WORDS, size=(NUM_ROWS, 12)), axis=1)
    texts = [" ".join(f"w{word}" for word in np.roll(row, turn)) for row, turn in zip(words, labels, strict=True)]
    return texts, labels.astype(str)


def _hinted(hidden: float, seed: int) -> tuple[list[str], np.ndarray]:
    """The label is decided by a sum over the row's words and by something hidden, `hidden` times as large."""
    generator = np.random.default_rng([seed, 2])
    weights = generator.normal(size=NUM_WORDS)
    words = generator.integers(0, NUM_WORDS, size=(NUM_ROWS, 12))
    decides = weights[words].sum(axis=1) / np.sqrt(12) + hidden * generator.normal(size=NUM_ROWS)
    return [" ".join(f"w{word}" for word in row) for row in words], (decides > 0).astype(str)


def _confident(classes: np.ndarray, probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose most confident label is another (Northcutt et al. 2021: each class's own threshold)."""
    thresholds = np.array([probabilities[labels == label, place].mean() for place, label in enumerate(classes)])
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    is_sure = (confident > 0).any(axis=1)
    return float((is_sure & (classes[confident.argmax(axis=1)] != labels)).mean())
