"""Pulls towards the base that training minimises beside the task's loss. What is measured stays plain.

L2-SP (Xuhong et al. 2018, arXiv 1802.01483): l2_sp / 2 times the squared distance of the weights from the base's.
KL to the base: kl_to_base times KL(base || tuned) over the vocabulary, at every supervised position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import kl_div, log_softmax
from torch.utils.checkpoint import checkpoint

from ftsweep.config.schema import TrainingSettings
from ftsweep.evaluation.batch import Batch
from ftsweep.strategies.base import Strategy
from ftsweep.tasks.base import Task
from ftsweep.tasks.causal import MAX_LOGITS_AT_ONCE, sums_by_row, supervised_positions

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Regularisers:
    """The pulls that a trial's settings ask for; both at 0 they do nothing at all.

    Made before the first step and before a checkpoint is read: what the base is, is remembered now.
    """

    def __init__(self, model: PreTrainedModel, task: Task, strategy: Strategy, settings: TrainingSettings) -> None:
        self._model = model
        self._task = task
        self._l2_sp = settings.l2_sp
        self._kl = settings.kl_to_base
        self._distances = strategy.distances(model, strategy.head_for(task)) if settings.l2_sp else []
        self._base_answers = strategy.base_answers(model) if settings.kl_to_base else None

    def training_losses(self, batch: Batch, schema: Mapping[str, Any]) -> torch.Tensor:
        """What training minimises, [rows]: the task's losses and, of the row's supervised tokens, the divergence."""
        if self._base_answers is None:
            return self._task.training_losses(self._model, batch, schema)
        with torch.no_grad(), self._base_answers() as base, _logits_of(base) as of_base:
            self._task.losses(base, batch)
        with _logits_of(self._model) as of_model:
            losses = self._task.training_losses(self._model, batch, schema)
        labels = batch["labels"]
        positions = batch["supervised"] if "supervised" in batch else supervised_positions(labels)
        divergences = kl_divergences(of_base[-1].flatten(0, -2), of_model[-1].flatten(0, -2))
        return losses + self._kl * sums_by_row(divergences, positions, labels)

    def add_gradients(self) -> None:
        """Add the gradient of the pull on the weights, once per optimizer step."""
        for distance in self._distances:  # one by one: never more than one weight's intermediate values
            (0.5 * self._l2_sp * distance()).backward()


def kl_divergences(base_logits: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """KL(base || model) per token [tokens], float32, of logits [tokens, vocabulary]; in parts when they are many."""
    part_size = max(1, MAX_LOGITS_AT_ONCE // logits.shape[-1])
    if len(logits) <= part_size:
        return _kl_part(base_logits, logits)
    # As in the task's own loss: a part is computed again in the backward pass, so that its copies live one at a time.
    parts = zip(base_logits.split(part_size), logits.split(part_size), strict=True)
    return torch.cat([checkpoint(_kl_part, *part, use_reentrant=False, preserve_rng_state=False) for part in parts])


def _kl_part(base_logits: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    of_base, of_model = log_softmax(base_logits.float(), dim=-1), log_softmax(logits.float(), dim=-1)
    return kl_div(of_model, of_base, reduction="none", log_target=True).sum(dim=-1)


@contextmanager
def _logits_of(model: PreTrainedModel) -> Iterator[list[torch.Tensor]]:
    """The logits of every call of the model inside the block; the task's own forward pass is the last one."""
    found: list[torch.Tensor] = []
    handle = model.register_forward_hook(lambda _model, _args, output: found.append(output.logits))
    try:
        yield found
    finally:
        handle.remove()
