"""Which hidden states a head reads: found by trying, for any architecture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch

from ftsweep.data.prepared import PreparedSet
from ftsweep.evaluation.batch import Batch
from ftsweep.evaluation.evaluate import Evaluator, autocast
from ftsweep.training.checkpoint import trained_weights
from ftsweep.training.features.table import (
    FIRST_ADDRESS,
    Features,
    Position,
    hidden_states,
    input_batch,
    pick,
    put_back_body,
    replace_body,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NUM_CHECKED = 16  # examples by which it is found out
_TOLERANCE = 1e-4  # of the largest logit, for the same logits from another batch shape
_TOLERANCE_BFLOAT16 = 2e-2


def find_position(
    model: PreTrainedModel, prepared: PreparedSet, evaluator: Evaluator
) -> tuple[Position, torch.Tensor] | None:
    """The fewest hidden states from which the head gives the logits it gives after the whole body; None without any.

    Also a sample of them, for their size and type. The head's own weights may tell nothing (zeros): random ones are
    put in their place while it is tried. The model is in eval mode, and what trains of it is the head.
    """
    split = prepared.split("train")
    by_length = np.argsort(split.lengths, kind="stable")
    chosen = by_length[np.linspace(0, len(split) - 1, min(_NUM_CHECKED, len(split))).astype(np.int64)]
    batch = input_batch(split, chosen, evaluator)
    with _random_head(model):
        hidden, expected = hidden_states(model, batch, evaluator)
        for position in get_args(Position):
            rows = pick(hidden, batch, position, model)
            logits = _logits_from(rows, model, batch, evaluator, position)
            if logits is not None and _are_same(logits, expected, batch["attention_mask"].bool(), hidden.dtype):
                return position, rows
    return None


@torch.no_grad()
def _logits_from(
    rows: torch.Tensor, model: PreTrainedModel, batch: Batch, evaluator: Evaluator, position: Position
) -> torch.Tensor | None:
    """Logits of a model that looks these rows up; None when its head cannot work on them."""
    mask = batch["attention_mask"]
    if position != "all":
        mask = mask[:, :1]
    addresses = torch.full(mask.shape, FIRST_ADDRESS, device=mask.device)
    addresses[mask.bool()] += torch.arange(1, 1 + len(rows), device=mask.device)
    replace_body(model, Features(position, torch.cat([torch.zeros_like(rows[:1]), rows])))
    try:
        with autocast(evaluator.device, evaluator.autocast_dtype):
            logits: torch.Tensor = model(input_ids=addresses, attention_mask=mask).logits
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError):
        return None
    finally:
        put_back_body(model)
    return logits


def _are_same(logits: torch.Tensor, expected: torch.Tensor, mask: torch.Tensor, dtype: torch.dtype) -> bool:
    if logits.shape != expected.shape:
        return False
    if logits.shape[:2] == mask.shape and logits.ndim == 3:  # of tokens; those of padding do not matter
        logits, expected = logits[mask], expected[mask]
    difference = (logits.float() - expected.float()).abs().max()
    is_bfloat16 = torch.bfloat16 in (dtype, logits.dtype)
    tolerance = _TOLERANCE_BFLOAT16 if is_bfloat16 else _TOLERANCE
    return bool(difference <= tolerance * expected.float().abs().max())


@contextmanager
def _random_head(model: PreTrainedModel) -> Iterator[None]:
    """Random weights in what trains, from a generator of their own."""
    generator = torch.Generator().manual_seed(0)
    weights = trained_weights(model)
    kept = {name: weight.detach().clone() for name, weight in weights.items()}
    with torch.no_grad():
        for weight in weights.values():
            weight.copy_(torch.randn(weight.shape, generator=generator) / weight.shape[-1] ** 0.5)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(kept[name])
