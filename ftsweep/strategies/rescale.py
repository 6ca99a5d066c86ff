"""A trained change made smaller: scale 0 is what training started from, 1 what it came to.

Between whole weights this is WiSE-FT (Wortsman et al. 2022, arXiv 2109.01903); of a LoRA adapter it is the same thing,
and what PEFT's `rescale_adapter_scale` does, but kept in the weights, where every tool that loads them finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ftsweep.strategies.adapters import ADAPTER, lora_layers
from ftsweep.strategies.base import fresh_modules

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head

_PISSA_START = "pissa_start_up"


def rescale_weights(model: PreTrainedModel, head: Head, scale: float, start: Mapping[str, torch.Tensor]) -> None:
    """Draw whole weights towards those that training started from, by name; a new head stays as it was trained."""
    import torch

    new = tuple(f"{name}." for name in fresh_modules(model, head))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in start and not name.startswith(new):
                began = start[name].to(weight.device, weight.dtype)
                weight.copy_(began if scale == 0 else began + scale * (weight - began))


def rescale_lora(model: Any, scale: float) -> None:
    """Scale the second factor of every layer, and that of what PiSSA takes off again."""
    import torch

    with torch.no_grad():
        for layer in lora_layers(model).values():
            layer.lora_B[ADAPTER].weight.mul_(scale)
            if hasattr(layer, _PISSA_START):
                getattr(layer, _PISSA_START).mul_(scale)


def rescale_ia3(model: Any, scale: float) -> None:
    """Draw every factor towards 1, where it began."""
    import torch
    from peft.tuners.ia3 import IA3Layer

    with torch.no_grad():
        for layer in (module for module in model.modules() if isinstance(module, IA3Layer)):
            factor = layer.ia3_l[ADAPTER]
            factor.copy_(1 + scale * (factor - 1))
