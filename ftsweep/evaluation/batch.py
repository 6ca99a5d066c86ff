"""From rows of the prepared set to padded tensors on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from ftsweep.tasks.base import IGNORED, Task

if TYPE_CHECKING:
    from ftsweep.training.mix import Examples

Batch = dict[str, torch.Tensor]


def collate(
    split: Examples, indices: Sequence[int] | np.ndarray, task: Task, *, pad_token_id: int, min_length: int = 0
) -> Batch:
    """Right-padded tensors of these examples, on the CPU; `longest` is at least `min_length`.

    input_ids and attention_mask: int64 [rows, longest]; labels: int64 (float32 where they are floats) of shape
    [rows, longest] when they are per token, [rows] or [rows, n] when they are per example; and what the task adds.
    """
    inputs = [split.input_ids(int(index)) for index in indices]
    labels = [split.labels(int(index)) for index in indices]
    longest = max(min_length, *(len(row) for row in inputs))
    input_ids = np.full((len(inputs), longest), pad_token_id, dtype=np.int64)
    attention_mask = np.zeros((len(inputs), longest), dtype=np.int64)
    for row, ids in enumerate(inputs):
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
    if task.label_shape == "token":
        padded = np.full((len(inputs), longest), IGNORED, dtype=np.int64)
        for row, row_labels in enumerate(labels):
            padded[row, : len(row_labels)] = row_labels
    else:
        padded = np.stack(labels).astype(np.float32 if task.label_type == "float" else np.int64)
        if task.label_shape == "example":
            padded = padded[:, 0]
    batch_labels = torch.from_numpy(padded)
    return {
        "input_ids": torch.from_numpy(input_ids),
        "attention_mask": torch.from_numpy(attention_mask),
        "labels": batch_labels,
        **task.batch_extras(batch_labels),
    }


def to_device(batch: Mapping[str, torch.Tensor], device: torch.device) -> Batch:
    """The batch on the device; on CUDA through pinned memory, without waiting. What is there already stays."""
    if device.type != "cuda":
        return dict(batch)
    return {
        name: tensor if tensor.device.type == "cuda" else tensor.pin_memory().to(device, non_blocking=True)
        for name, tensor in batch.items()
    }
