"""Adds up a split's entity-level scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ftsweep.tasks.base import Tally
from ftsweep.tasks.encoding.bio import EntityCounts
from ftsweep.tasks.encoding.tagged import MISSED

if TYPE_CHECKING:
    import torch

METRICS = ("loss", "f1", "precision", "recall", "token_accuracy")


class EntityTally(Tally):
    """Sums the loss on the device and keeps the label ids of words, true and predicted, until they are asked for."""

    def __init__(self, types: Sequence[str]) -> None:
        self._types = types
        self._loss: torch.Tensor | None = None
        self._ids: list[torch.Tensor] = []  # true and predicted: int16 [2, rows, length]

    def add(self, losses: torch.Tensor, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
        import torch

        loss = losses.detach().double().sum()
        self._loss = loss if self._loss is None else self._loss + loss
        self._ids.append(torch.stack([batch["labels"], outputs]).short())

    def values(self) -> dict[str, float]:
        counts, num_words, num_right = self._counts()
        if self._loss is None or num_words == 0:
            return dict.fromkeys(METRICS, math.nan)
        micro = counts.micro()
        return {
            "loss": self._loss.item() / num_words,
            "f1": micro["f1-score"],
            "precision": micro["precision"],
            "recall": micro["recall"],
            "token_accuracy": num_right / num_words,
        }

    def details(self) -> dict[str, Any]:
        """`report`: seqeval's classification report."""
        counts, num_words, _ = self._counts()
        return {"report": counts.report(self._types)} if num_words else {}

    def _counts(self) -> tuple[EntityCounts, int, int]:
        """Entity counts, scored words, and right ones among those."""
        true, predicted = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        num_missed = num_words = num_right = 0
        for both in self._ids:
            labels, guesses = both.cpu().numpy().astype(np.int64)
            is_scored = labels >= 0
            num_words += int(is_scored.sum())
            num_right += int((is_scored & (labels == guesses)).sum())
            num_missed += int((MISSED - labels[labels < MISSED]).sum())
            ends = np.ones((len(labels), 1), dtype=bool)  # an O behind every row keeps its entities to itself
            kept = np.hstack([is_scored, ends])
            true.append(np.hstack([labels, 0 * ends])[kept])
            predicted.append(np.hstack([guesses, 0 * ends])[kept])
        counts = EntityCounts.of(
            np.concatenate(true), np.concatenate(predicted), len(self._types), num_missed=num_missed
        )
        return counts, num_words, num_right
