"""Next-token prediction: logits only where there is something to learn, and the scores of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ftsweep.domain.metric import Metric, Metrics
from ftsweep.errors import ModelError
from ftsweep.models.base import Head
from ftsweep.models.inner import num_virtual_tokens, transformers_model
from ftsweep.tasks.base import LabelShape, Tally, Task

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

TOKEN_LOSS: Metrics = {
    "loss": Metric("minimize", low=0, is_per_token=True),
    "perplexity": Metric("minimize", low=1, is_per_token=True),
}
MAX_LOGITS_AT_ONCE = 2**26
"""Logits whose float32 copies live at the same time: 256 MiB per copy."""


class CausalTask(Task):
    """A task whose labels are next tokens: `labels[t]` is `input_ids[t]` where it is learned, IGNORED elsewhere.

    The shift is made here: position t - 1 predicts `labels[t]`, so the first label of a row never counts.
    """

    head: ClassVar[Head] = "causal_lm"
    label_shape: ClassVar[LabelShape] = "token"
    takes_text: ClassVar[bool] = True

    def row_units(self, labels: torch.Tensor) -> torch.Tensor:
        return (labels[:, 1:] >= 0).sum(dim=1)

    def batch_extras(self, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"supervised": supervised_positions(labels)}

    def losses(self, model: PreTrainedModel, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The summed loss of each row [rows], and how many supervised tokens were the likeliest, shape []."""
        losses, num_correct, positions = token_losses(model, batch)
        return sums_by_row(losses, positions, batch["labels"]), num_correct

    def row_scores(
        self, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor], schema: Mapping[str, Any]
    ) -> torch.Tensor | None:
        """Bytes of text, [rows, 1], where they are counted."""
        return batch["num_bytes"][:, None] if self.counts_bytes else None

    def resampled_scores(
        self, losses: np.ndarray, units: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> dict[str, np.ndarray]:
        found = super().resampled_scores(losses, units, scores, weights)
        if self.counts_bytes and scores.shape[1]:
            num_bytes = weights @ scores[:, -1].astype(np.float64)
            found["bits_per_byte"] = weights @ losses.astype(np.float64) / np.maximum(num_bytes, 1.0) / math.log(2)
        return found

    def tally(self, schema: Mapping[str, Any]) -> Tally:
        return CausalTally([name for name, metric in self.metrics.items() if not metric.is_generated])

    def prior_scores(self, schema: Mapping[str, Any], labels: Iterable[Sequence[int]]) -> dict[str, float] | None:
        return None


class CausalTally(Tally):
    """Sums loss, supervised tokens, right guesses and bytes on the device; makes the `metrics` asked for."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self._metrics = metrics
        self._loss: torch.Tensor | None = None
        self._counts: torch.Tensor | None = None  # supervised tokens, right guesses, bytes of text

    def add(self, losses: torch.Tensor, outputs: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> None:
        import torch

        num_tokens, num_correct = (batch["labels"][:, 1:] >= 0).sum(), outputs.detach()
        num_bytes = batch["num_bytes"].sum() if "num_bytes" in batch else torch.zeros_like(num_tokens)
        counts = torch.stack([num_tokens, num_correct, num_bytes])
        loss = losses.detach().double().sum()
        self._loss = loss if self._loss is None else self._loss + loss
        self._counts = counts if self._counts is None else self._counts + counts

    def values(self) -> dict[str, float]:
        num_tokens, num_correct, num_bytes = self._counts.tolist() if self._counts is not None else (0, 0, 0)
        total = self._loss.item() if self._loss is not None else math.nan
        loss = total / num_tokens if num_tokens else math.nan
        scores = {
            "loss": loss,
            "perplexity": perplexity(loss),
            "token_accuracy": num_correct / num_tokens if num_tokens else math.nan,
            "bits_per_byte": total / num_bytes / math.log(2) if num_bytes else math.nan,
        }
        return {metric: scores[metric] for metric in self._metrics}


def supervised_positions(labels: torch.Tensor) -> torch.Tensor:
    """Indices into the flattened labels [rows x length] of all that count; waits for the device that holds them."""
    counts = labels >= 0
    counts[:, 0] = False
    return counts.flatten().nonzero().squeeze(1)


def sums_by_row(losses: torch.Tensor, positions: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Token losses [tokens] at these flat positions of `labels`, summed per row. Shape [rows], in the losses' type."""
    return losses.new_zeros(labels.shape[0]).index_add(0, positions // labels.shape[1], losses)


def token_losses(
    model: PreTrainedModel, batch: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Per supervised token its loss (float32) and its flat index in `labels`; and the number of right guesses.

    The model's own forward runs, so that whatever it does to its logits (scaling, soft caps) is done here too; only
    the input of its output layer is narrowed to the positions that predict something, which is what saves the memory.

    `position_ids` in the batch say where packed documents begin; transformers makes their mask from them alone.
    """

    from ftsweep.tasks.padding import needed_mask
    from ftsweep.tasks.read_rows import reading

    labels = batch["labels"]
    positions = batch["supervised"] if "supervised" in batch else supervised_positions(labels)
    is_packed = "position_ids" in batch
    where: dict[str, Any] = {"position_ids": batch["position_ids"]} if is_packed else {}
    with (
        needed_mask(model, None if is_packed else batch.get("attention_mask")) as mask,
        reading(transformers_model(model), None if num_virtual_tokens(model) else positions - 1),
    ):
        where["attention_mask"] = mask
        logits = logits_at(model, positions - 1, input_ids=batch["input_ids"], **where, use_cache=False)
    losses, num_correct = score_tokens(logits, labels.flatten().index_select(0, positions))
    return losses, num_correct, positions


def logits_at(model: PreTrainedModel, positions: torch.Tensor, **inputs: Any) -> torch.Tensor:
    """Logits [positions, vocabulary] at flat positions of the input [rows x length], in the model's own type."""
    inner = transformers_model(model)
    output_layer = inner.get_output_embeddings()
    if output_layer is None:
        raise ModelError(f"{type(inner).__name__} has no output layer over its vocabulary")

    def narrow(_module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden, *rest = args
        return (hidden.flatten(0, 1).index_select(0, positions).unsqueeze(0), *rest)

    handle = output_layer.register_forward_pre_hook(narrow)
    try:
        logits: torch.Tensor = model(**inputs).logits.squeeze(0)
    finally:
        handle.remove()
    return logits


def perplexity(loss: float) -> float:
    """exp(loss); infinity where that is no float any more."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def score_tokens(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses [tokens] and the number of right guesses, in parts when the float32 logits would be large."""
    import torch
    from torch.utils.checkpoint import checkpoint

    part_size = max(1, MAX_LOGITS_AT_ONCE // logits.shape[-1])
    if len(logits) <= part_size:
        return _score_part(logits, targets)
    # Recomputing a part in the backward pass keeps its float32 copies from living until then. split and not slices:
    # the gradient of every slice would be as large as all logits.
    parts = [
        checkpoint(_score_part, *part, use_reentrant=False, preserve_rng_state=False)
        for part in zip(logits.split(part_size), targets.split(part_size), strict=True)
    ]
    return torch.cat([losses for losses, _ in parts]), torch.stack([correct for _, correct in parts]).sum()


def _score_part(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    from torch.nn.functional import cross_entropy

    losses = cross_entropy(logits.float(), targets, reduction="none")
    return losses, (logits.detach().argmax(dim=-1) == targets).sum()
