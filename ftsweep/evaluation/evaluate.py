"""Metrics of a model on a whole split: summed over examples or tokens, divided once, no logits kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from ftsweep.domain.metric import as_float
from ftsweep.errors import ConfigError
from ftsweep.evaluation.batch import collate, to_device
from ftsweep.models.device import is_out_of_memory, release_memory
from ftsweep.store.row_scores import RowEvidence
from ftsweep.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.data.encoded import EncodedSplit

T = TypeVar("T")


@dataclass(frozen=True)
class SplitScores:
    """What a model does on a split. `losses` (float32) and `units` (int64) are per example, in the split's order."""

    values: dict[str, float]
    losses: np.ndarray
    units: np.ndarray
    details: dict[str, Any]
    scores: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    """What `Task.row_scores` gave, float32 [examples, n]; n = 0 where it gives nothing."""

    clusters: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    """As `EncodedSplit.clusters`."""

    draws: tuple[SplitScores, ...] = ()
    """Of a mean over several models, each one's."""

    @property
    def evidence(self) -> list[RowEvidence]:
        """What the model did on each example; of a mean over several models, what each of them did."""
        return [
            RowEvidence(each.losses, each.units.astype(np.int32), each.scores, each.clusters)
            for each in self.draws or (self,)
        ]


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
        return self.score(model, split, indices).values

    def score(self, model: PreTrainedModel, split: EncodedSplit, indices: np.ndarray | None = None) -> SplitScores:
        """As `measure`, with every example's loss and what the metrics are made of."""
        trained = [module for module in model.modules() if module.training]
        model.eval()
        try:
            return self.in_batches_that_fit(lambda: self._score(model, split, indices))
        finally:
            for module in trained:  # one by one: a frozen body stays in eval mode under a head that trains
                module.training = True

    def in_batches_that_fit(self, compute: Callable[[], T]) -> T:
        """What `compute` returns; it begins anew with half the batch size whenever memory runs out."""
        while True:
            try:
                return compute()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.tokens_per_batch == 1:
                    raise
            self.tokens_per_batch = max(1, self.tokens_per_batch // 2)
            release_memory(self.device)

    @torch.no_grad()
    def _score(self, model: PreTrainedModel, split: EncodedSplit, indices: np.ndarray | None) -> SplitScores:
        tally = self.task.tally(self.schema)
        parts: list[torch.Tensor] = []
        units: list[torch.Tensor] = []
        scores: list[torch.Tensor] = []
        order: list[np.ndarray] = []
        for chosen in self.batches(split.lengths, indices):
            batch = collate(split, chosen, self.task, pad_token_id=self.pad_token_id)
            if self.task.counts_bytes:
                batch["num_bytes"] = torch.tensor([split.num_bytes(int(index)) for index in chosen])
            units.append(self.task.row_units(batch["labels"]))
            batch = to_device(batch, self.device)
            with autocast(self.device, self.autocast_dtype):
                losses, outputs = self.task.losses(model, batch)
            tally.add(losses, outputs, batch)
            parts.append(losses.detach())
            row_scores = self.task.row_scores(outputs, batch, self.schema)
            if row_scores is not None:
                scores.append(row_scores.float())
            order.append(chosen)
        values = as_numbers(self.task, tally.values())
        if not parts:
            return SplitScores(values, np.empty(0, np.float32), np.empty(0, np.int64), tally.details())
        back = np.argsort(np.concatenate(order), kind="stable")
        return SplitScores(
            values=values,
            losses=torch.cat(parts).float().cpu().numpy()[back],
            units=torch.cat(units).numpy()[back],
            details=tally.details(),
            scores=torch.cat(scores).cpu().numpy()[back] if scores else np.empty((len(back), 0), np.float32),
            clusters=split.clusters(None if indices is None else np.sort(indices)),
        )

    def batches(self, lengths: np.ndarray, indices: np.ndarray | None) -> Iterator[np.ndarray]:
        """Indices of examples of about one length, the longest first, as many at once as the batch size allows."""
        order = np.arange(len(lengths)) if indices is None else indices
        order = order[np.argsort(-lengths[order], kind="stable")]
        start = 0
        while start < len(order):
            num_rows = max(1, self.tokens_per_batch // max(1, int(lengths[order[start]])))
            yield order[start : start + num_rows]
            start += num_rows


def as_numbers(task: Task, values: Mapping[str, Any]) -> dict[str, float]:
    """A task's scores as Python's floats; those of numpy and torch are taken.

    Raises:
        ConfigError: one is no number, or lies outside of what its metric says of itself.
    """
    found, metrics = {}, {**task.metrics, **task.added_metrics}
    for name, value in values.items():
        number = as_float(value)
        if number is None:
            raise ConfigError(
                f"{type(task).__name__} scores {name} as {value!r}, which is no number",
                where="task",
                remedy="Have it give a float; where there is none, float('nan').",
            )
        if name in metrics and (bound := metrics[name].lies_outside(number)):
            raise ConfigError(
                f"{type(task).__name__} scores {name} as {number:g}, {bound}",
                where="task",
                remedy="Mend the score, or give the Metric the bounds that it has.",
            )
        found[name] = number
    return found


def autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[Any]:
    """Mixed precision for a forward pass; None computes in the weights' own type."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def train_probe(num_train: int, size: int, seed: int) -> np.ndarray:
    """The fixed train examples on which train loss is measured, so many at most: sorted indices."""
    size = min(num_train, size)
    return np.sort(np.random.default_rng([seed, 0x9B0BE]).choice(num_train, size=size, replace=False))
