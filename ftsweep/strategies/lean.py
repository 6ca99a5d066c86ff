"""A LoRA layer without PEFT's intermediate tensors: the same numbers to rounding, in fewer operations.

PEFT computes `result + B(A(x)) * scale` in three passes over [tokens, out]; here one product adds into the base's
result. The layer is PEFT's own in all else (names, files, merging), and so is its forward pass where more is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import Linear
from torch.nn.functional import linear

from ftsweep.strategies.low_rank import LowRankSum, Own, dropout_noise

MAX_MERGED_BYTES = 1 << 30
"""Merged copies of the adapted weights may take so much memory, on a CPU."""


class LeanLinear(Linear):
    """PEFT's LoRA on an `nn.Linear`."""

    merged_weight: torch.Tensor | None = None
    """The base's weight with the adapter in it, while the layer is only measured."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        factors = None if args or kwargs else self._plain_factors(x)
        if factors is None:
            return super().forward(x, *args, **kwargs)
        base: Any = self.base_layer
        if self.merged_weight is not None:
            return linear(x, self.merged_weight, base.bias)
        (name,) = self.active_adapters
        flat = x.flatten(0, -2)
        noise = dropout_noise(flat, dropout_of(self, name)) if self.training else None
        own = Own(0, flat.shape[0], self.scaling[name], noise)
        result: torch.Tensor = LowRankSum.apply(flat, base.weight, base.bias, (own,), *factors)
        return result.view(*x.shape[:-1], -1)

    def _plain_factors(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """A and B where one adapter, of PEFT's plain kind, is on, and all is computed in one type; else None."""
        names = self.active_adapters
        if self.disable_adapters or self.merged_adapters or self.lora_variant or len(names) != 1:
            return None
        down, up = _factor(self.lora_A[names[0]]), _factor(self.lora_B[names[0]])
        weight = self.base_layer.weight
        is_one_type = isinstance(weight, torch.Tensor) and x.dtype == down.dtype == weight.dtype
        return (down, up) if is_one_type and not torch.is_autocast_enabled(x.device.type) else None


@contextmanager
def merged_for_measuring(layers: list[LeanLinear]) -> Iterator[None]:
    """Let these layers answer with merged weights, for the length of the block; the base's own stay untouched.

    Nothing is merged on a GPU, or where the copies would take more than `MAX_MERGED_BYTES`. A block inside of another
    changes nothing.
    """
    layers = [layer for layer in layers if layer.merged_weight is None]
    weights: list[Any] = [layer.get_base_layer().weight for layer in layers]
    is_small = sum(weight.numel() * weight.element_size() for weight in weights) <= MAX_MERGED_BYTES
    merges = is_small and all(weight.device.type == "cpu" and weight.dtype == torch.float32 for weight in weights)
    try:
        for layer, weight in zip(layers, weights, strict=True) if merges else ():
            (name,) = layer.active_adapters
            with torch.no_grad():
                down, up = _factor(layer.lora_A[name]), _factor(layer.lora_B[name])
                layer.merged_weight = torch.addmm(weight, up, down, alpha=layer.scaling[name])
        yield
    finally:
        for layer in layers:
            layer.merged_weight = None


def dropout_of(layer: Linear, name: str) -> float:
    """The share of inputs that an adapter drops; PEFT puts an `nn.Identity` there where it is none."""
    return float(getattr(layer.lora_dropout[name], "p", 0.0))


def _factor(layer: Any) -> torch.Tensor:
    weight: torch.Tensor = layer.weight
    return weight
