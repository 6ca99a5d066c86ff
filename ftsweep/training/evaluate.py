"""Metrics of a model on a whole split: summed over examples or tokens, divided once, no logits kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ftsweep.tasks.base import Task
from ftsweep.training.batch import collate, to_device
from ftsweep.training.memory import is_out_of_memory, release_memory

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.data.encoded import EncodedSplit


@dataclass
class Evaluator:
    """Scores splits with its own batch size, counted in padded tokens; halves it for good when memory runs out."""

    task: Task
    schema: Mapping[str, Any]
    pad_token_id: int
    device: torch.device
    autocast_dtype: torch.dtype | None = None
    tokens_per_batch: int = 1024

    def measure(
        self, model: PreTrainedModel, split: EncodedSplit, indices: np.ndarray | None = None
    ) -> dict[str, float]:
        """Metric name to value over the split (or these examples of it). The model's mode is put back afterwards."""
        was_training = model.training
        model.eval()
        try:
            while True:
                try:
                    return self._measure(model, split, indices)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error) or self.tokens_per_batch == 1:
                        raise
                self.tokens_per_batch = max(1, self.tokens_per_batch // 2)
                release_memory(self.device)
        finally:
            model.train(was_training)

    @torch.no_grad()
    def _measure(self, model: PreTrainedModel, split: EncodedSplit, indices: np.ndarray | None) -> dict[str, float]:
        tally = self.task.tally(self.schema)
        for chosen in self._batches(split.lengths, indices):
            batch = collate(split, chosen, self.task, pad_token_id=self.pad_token_id)
            batch = to_device(batch, self.device)
            with autocast(self.device, self.autocast_dtype):
                loss_sum, outputs = self.task.loss_sum(model, batch)
            tally.add(loss_sum, outputs, batch)
        return tally.values()

    def _batches(self, lengths: np.ndarray, indices: np.ndarray | None) -> Iterator[np.ndarray]:
        order = np.arange(len(lengths)) if indices is None else indices
        order = order[np.argsort(-lengths[order], kind="stable")]
        start = 0
        while start < len(order):
            num_rows = max(1, self.tokens_per_batch // max(1, int(lengths[order[start]])))
            yield order[start : start + num_rows]
            start += num_rows


def autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    """Mixed precision for a forward pass; None computes in the weights' own type."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def train_probe(num_train: int, num_validation: int, seed: int) -> np.ndarray:
    """The fixed train examples on which train loss is measured, as many as validation has: sorted indices."""
    size = min(num_train, num_validation)
    return np.sort(np.random.default_rng([seed, 0x9B0BE]).choice(num_train, size=size, replace=False))
