"""RMS norms of transformers' models in fewer passes over memory: the same numbers to rounding.

transformers writes the norm out, and autograd takes twice as many operations for the way back. Here it is six and
seven; on a GPU torch has one kernel for each way.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import rms_norm

_TOLERANCE = 1e-5  # of the largest output, when it is found out whether a class computes what is known here
_NUM_CHECKED = 4  # rows


class LeanNorm(nn.Module):
    """What goes before a class of transformers' RMS norms; in types other than it is made for, that class computes."""

    weight: torch.Tensor
    variance_epsilon: float

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [..., hidden] over the root of the mean of its squares, times the weight [hidden]."""
        if x.dtype == self.weight.dtype:
            if x.device.type == "cuda":
                return rms_norm(x, self.weight.shape, self.weight, self.variance_epsilon).to(x.dtype)
            if x.device.type == "cpu" and x.dtype == torch.float32:
                return RmsNorm.apply(x, self.weight, self.variance_epsilon)  # type: ignore[no-any-return]
        return super().forward(x)  # type: ignore[no-any-return]


class RmsNorm(torch.autograd.Function):
    """x [..., hidden] over the root of the mean of its squares plus epsilon, times weight [hidden]."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        root = length.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, root)
        return torch.mul(x, root).mul_(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, root = ctx.saved_tensors
        of_weight = (gradient * x).mul_(root).reshape(-1, len(weight)).sum(0) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None
        of_x = gradient * weight
        along = (of_x * x).sum(-1, keepdim=True).mul_(root.square())
        return of_x.addcmul_(x, along, value=-1 / x.shape[-1]).mul_(root), of_weight, None


def lean_norms(model: nn.Module) -> None:
    """Have those RMS norms of a model computed so that are found to be the same."""
    is_same: dict[type, bool] = {}
    for module in model.modules():
        kind = type(module)
        if "RMSNorm" not in kind.__name__ or issubclass(kind, LeanNorm):
            continue
        if kind not in is_same:
            is_same[kind] = _is_same(module)
        if is_same[kind]:
            module.__class__ = _lean(kind)


def _lean(kind: type[nn.Module]) -> type[nn.Module]:
    if kind not in _kinds:
        _kinds[kind] = type(kind.__name__, (LeanNorm, kind), {})
    return _kinds[kind]


_kinds: dict[type[nn.Module], type[nn.Module]] = {}


@torch.no_grad()
def _is_same(module: Any) -> bool:
    """Whether a norm divides by the root mean square and multiplies by its weight, and does nothing else."""
    weight, epsilon = getattr(module, "weight", None), getattr(module, "variance_epsilon", None)
    others = len(list(module.parameters())) != 1 or len(list(module.buffers())) or len(list(module.children()))
    if weight is None or epsilon is None or others or weight.dim() != 1 or weight.is_meta:
        return False
    if len(signature(module.forward).parameters) != 1:  # Mamba's are given a gate, too
        return False
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(_NUM_CHECKED, len(weight), generator=generator).to(weight)
    expected = module(x).float()
    found = rms_norm(x.float(), weight.shape, weight.float(), epsilon)
    tolerance = _TOLERANCE if weight.dtype == torch.float32 else 2 * torch.finfo(weight.dtype).eps
    return bool((found - expected).abs().max() <= tolerance * expected.abs().max())
