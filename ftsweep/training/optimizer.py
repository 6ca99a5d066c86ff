"""What an update of the weights is made with: the optimizer of a strategy's groups, and clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ftsweep.config.schema import TrainingSettings
from ftsweep.strategies.base import Strategy, parameter_groups
from ftsweep.training.adamw import FusedAdamW

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def clip_gradients(weights: list[torch.nn.Parameter], max_norm: float) -> torch.Tensor:
    """As `torch.nn.utils.clip_grad_norm_`, to the bit; on a CPU nothing is multiplied by 1. The norm before it."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if len({(each.device, each.dtype) for each in gradients}) == 1:
        norm: torch.Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    else:
        norm = torch.nn.utils.get_total_norm(gradients)
    if norm.device.type != "cpu" or not max_norm / (norm + 1e-6) >= 1:  # torch's own coefficient
        torch.nn.utils.clip_grads_with_norm_(weights, max_norm, norm)
    return norm


def make_optimizer(
    model: PreTrainedModel, strategy: Strategy, settings: TrainingSettings, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW over what trains, in one pass over each weight. Each group has the strategy's `rate_factor`."""
    groups = parameter_groups(model, strategy, settings.weight_decay)
    if device.type in ("cpu", "cuda"):
        return FusedAdamW(groups, lr=settings.learning_rate)
    return torch.optim.AdamW(groups, lr=settings.learning_rate)
