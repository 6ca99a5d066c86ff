"""PiSSA (Meng et al. 2024, arXiv 2404.02948): the adapter starts as the largest part of each weight, and trains that.

The paper takes that part out of the base. Here the base stays as it is, and a forward hook takes the starting part
off again: W + s (B A - B0 A0) is the same function with the same gradients, it leaves nothing to be put back, and it
loses no bits of a bfloat16 base. What is kept is an ordinary LoRA of twice the rank, [A; A0] and [B, -B0].
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftsweep.errors import ConfigError, ModelError
from ftsweep.strategies.adapters import (
    ADAPTER,
    WEIGHTS,
    adapter_weights,
    load_adapter,
    lora_layers,
    read_adapter,
    write_adapter,
)

if TYPE_CHECKING:
    import torch

_DOWN, _UP = "pissa_start_down", "pissa_start_up"  # buffers of a PEFT layer: A0 and B0
_MAX_EXACT = 1024  # the smaller side of a matrix up to which its singular vectors are computed exactly
_NUM_ITERATIONS = 16  # of the randomised decomposition of larger ones, as in the paper
_A, _B = ".lora_A.weight", ".lora_B.weight"  # the ends of names in an adapter's file


def start(layer: Any) -> None:
    """Start a PEFT layer's adapter from the weight's principal directions; its output stays as it was.

    Raises ConfigError when the rank is above that of the weight.
    """
    rank, base = layer.r[ADAPTER], layer.get_base_layer()
    if rank > min(base.weight.shape):
        raise ConfigError(
            f"pissa finds {min(base.weight.shape)} directions in a weight of {tuple(base.weight.shape)}, not {rank}",
            where="strategy.rank",
            remedy=f"Use a rank of at most {min(base.weight.shape)}, or strategy.init=default.",
        )
    own = base.weight.data
    exactly = min(own.shape) <= _MAX_EXACT
    layer.pissa_init(ADAPTER, "pissa" if exactly else f"pissa_niter_{_NUM_ITERATIONS}")
    base.weight.data = own  # PEFT has put the residual there
    layer.register_buffer(_DOWN, layer.lora_A[ADAPTER].weight.detach().clone(), persistent=False)
    layer.register_buffer(_UP, layer.lora_B[ADAPTER].weight.detach().clone(), persistent=False)
    layer.register_forward_hook(_take_start_off)


def factors(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """A [rank, in] and B [out, rank] of what an adapter adds to the base; with PiSSA of twice the rank."""
    import torch

    down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    if not hasattr(layer, _DOWN):
        return down, up
    return torch.cat([down, getattr(layer, _DOWN)]), torch.cat([up, -getattr(layer, _UP)], dim=1)


def take_start_out(layer: Any) -> None:
    """Take the starting part out of the base's weight itself, before the adapter is merged into it."""
    import torch

    base, scale = layer.get_base_layer(), layer.scaling[ADAPTER]
    with torch.no_grad():
        part = scale * (getattr(layer, _UP) @ getattr(layer, _DOWN))
        base.weight -= (part.T if layer.fan_in_fan_out else part).to(base.weight.dtype)
    for name in (_DOWN, _UP):
        getattr(layer, name).zero_()


def save(model: Any, folder: Path) -> None:
    """Write an ordinary LoRA of twice the rank, relative to the untouched base."""
    weights = adapter_weights(model)
    for name, layer in lora_layers(model).items():
        weights[name + _A], weights[name + _B] = (factor.detach() for factor in factors(layer))
    config = model.peft_config[ADAPTER]
    # The scale stays what it was: alpha / rank, or alpha / sqrt(rank).
    alpha = config.lora_alpha * (sqrt(2) if config.use_rslora else 2)
    write_adapter(folder, weights, replace(config, r=2 * config.r, lora_alpha=alpha))


def restore(model: Any, folder: Path) -> None:
    """Load what `save` wrote: the first half of each factor into the adapter, the second as its start."""
    weights = read_adapter(model, folder)
    layers = lora_layers(model)
    for name, layer in layers.items():
        rank = layer.r[ADAPTER]
        down, up = weights.get(name + _A), weights.get(name + _B)
        if down is None or up is None or down.shape[0] != 2 * rank or up.shape[1] != 2 * rank:
            raise ModelError("holds no PiSSA adapter of this rank", where=str(folder / WEIGHTS))
        weights[name + _A], weights[name + _B] = down[:rank], up[:, :rank]
        getattr(layer, _DOWN).copy_(down[rank:])
        getattr(layer, _UP).copy_(-up[:, rank:])
    load_adapter(model, weights, folder)


def _take_start_off(layer: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    """A forward hook: the layer's output without the starting part. Not while the adapter is off."""
    from torch.nn.functional import linear

    if layer.disable_adapters:
        return output
    down: torch.Tensor = getattr(layer, _DOWN)
    up: torch.Tensor = getattr(layer, _UP)
    part = linear(linear(inputs[0].to(down.dtype), down), up) * layer.scaling[ADAPTER]
    result: torch.Tensor = output - part.to(output.dtype)
    return result
