"""A LoRA layer without PEFT's intermediate tensors: the same numbers to rounding, in fewer operations.

PEFT computes `result + B(A(x)) * scale` in three passes over [tokens, out]; here one product adds into the base's
result. The layer is PEFT's own in all else (names, files, merging), and so is its forward pass where more is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import Linear
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from ftsweep.strategies.low_rank import LowRankSum, Own, dropout_noise

MAX_MERGED_BYTES = 1 << 30
"""Merged copies of the adapted weights may take so much memory, on a CPU."""
_CAST = {torch.float32, torch.bfloat16, torch.float16}
"""What autocast brings to its own type; the rest it leaves alone."""


class LeanLinear(Linear):
    """PEFT's LoRA on an `nn.Linear`."""

    merged_weight: torch.Tensor | None = None
    """The base's weight with the adapter in it, while the layer is only measured."""
    cast_factors: tuple[torch.Tensor, torch.Tensor] | None = None
    """A and B in the type that autocast computes in, while a pass is under way for which all were cast together."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if args or kwargs or not self._is_plain:
            return super().forward(x, *args, **kwargs)
        is_mixed = torch.is_autocast_enabled(x.device.type)
        if self.merged_weight is not None and not is_mixed:  # which would round it
            bias: Any = self.base_layer.bias
            return linear(x, self.merged_weight, bias)
        taken = self._taken(x, is_mixed=is_mixed)
        if taken is None:
            return super().forward(x)
        rows, weight, bias, *factors = taken
        (name,) = self.active_adapters
        noise = dropout_noise(rows, dropout_of(self, name)) if self.training else None
        own = Own(0, rows.shape[0], self.scaling[name], noise)
        result: torch.Tensor = LowRankSum.apply(rows, weight, bias, (own,), *factors)
        return result.view(*x.shape[:-1], -1)

    @property
    def _is_plain(self) -> bool:
        """Whether one adapter, of PEFT's plain kind, is on."""
        is_other = self.disable_adapters or self.merged_adapters or self.lora_variant
        return not is_other and len(self.active_adapters) == 1

    def _taken(self, x: torch.Tensor, *, is_mixed: bool) -> Sequence[Any] | None:
        """The rows of x, the base's weight and bias, A and B, all in the type that is computed in; None where they are
        of several types, and autocast does not bring them to one.
        """
        base: Any = self.base_layer
        factors = self.cast_factors or factors_of(self)
        found = (x.flatten(0, -2), base.weight, base.bias, *factors)
        if not is_mixed:
            return found if x.dtype == base.weight.dtype == factors[0].dtype else None
        if not {each.dtype for each in found if each is not None} <= _CAST:
            return None
        computed = torch.get_autocast_dtype(x.device.type)
        return [each if each is None else each.to(computed) for each in found]


def lean_among(layers: Mapping[str, Any]) -> list[LeanLinear]:
    """Those of a model's LoRA layers that are of this kind."""
    return [layer for layer in layers.values() if isinstance(layer, LeanLinear)]


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
                down, up = factors_of(layer)
                layer.merged_weight = torch.addmm(weight, up, down, alpha=layer.scaling[name])
        yield
    finally:
        for layer in layers:
            layer.merged_weight = None


@contextmanager
def cast_together(layers: list[LeanLinear], dtype: torch.dtype, *, has_gradient: bool = True) -> Iterator[None]:
    """For the length of a block let these layers have A and B in the type that autocast computes in, all cast at once.

    On a GPU each of some hundred small casts, and of their gradients, costs as much as a product of a small model. Two
    operations do what they did; the numbers are the same. What a checkpoint computes again, after the block, casts its
    own. A block inside of another changes nothing.
    """
    layers = [layer for layer in layers if layer.cast_factors is None]
    factors = [factor for layer in layers for factor in factors_of(layer)]
    with torch.set_grad_enabled(has_gradient):
        cast = _Cast.apply(dtype, *factors) if factors else ()
    try:
        for layer, down, up in zip(layers, cast[::2], cast[1::2], strict=True):
            layer.cast_factors = (down, up)
        yield
    finally:
        for layer in layers:
            layer.cast_factors = None


class _Cast(torch.autograd.Function):
    """Copies of tensors in one type; their gradients in the types that the tensors have."""

    @staticmethod
    def forward(ctx: Any, dtype: torch.dtype, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.types = [each.dtype for each in tensors]
        copies = [torch.empty_like(each, dtype=dtype) for each in tensors]
        torch._foreach_copy_(copies, tensors)
        return tuple(copies)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[Any, ...]:
        found: list[torch.Tensor | None] = [
            None if each is None else torch.empty(each.shape, dtype=dtype, device=each.device)
            for each, dtype in zip(gradients, ctx.types, strict=True)
        ]
        to, given = [each for each in found if each is not None], [each for each in gradients if each is not None]
        torch._foreach_copy_(to, given)
        return (None, *found)


def factors_of(layer: LeanLinear) -> tuple[torch.Tensor, torch.Tensor]:
    """A [rank, in] and B [out, rank] of the adapter that is on."""
    (name,) = layer.active_adapters
    down: Any = layer.lora_A[name]
    up: Any = layer.lora_B[name]
    return down.weight, up.weight


def dropout_of(layer: Linear, name: str) -> float:
    """The share of inputs that an adapter drops; PEFT puts an `nn.Identity` there where it is none."""
    return float(getattr(layer.lora_dropout[name], "p", 0.0))
