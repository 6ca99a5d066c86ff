"""Products of frozen weights with the low-rank products of one or of several adapters added in, and their gradients.

The layouts are those that a CPU multiplies quickest: A times the rows is kept as [rank, rows], as a product with few
rows is quicker than one with few columns. It matters: at rank 8 the gradient of B took 3 to 5 times as long as this.
The adapter's scale is the factor that a product has anyway, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear


class Own(NamedTuple):
    """The rows of a product to which one adapter adds `scale` times its low-rank product of them."""

    start: int
    num_rows: int
    scale: float
    noise: torch.Tensor | None
    """What its dropout multiplies these rows by, [rows, in]; None where it drops nothing."""


def dropout_noise(rows: torch.Tensor, p: float) -> torch.Tensor | None:
    """What torch's dropout would multiply these rows by, drawn from torch's generator; None where `p` is 0.

    Never of a lesser type than float32: in bfloat16 its 1 / (1 - p) would be off by up to 0.4 %, in all rows alike.
    """
    if p == 0:
        return None
    dtype = torch.promote_types(rows.dtype, torch.float32)
    return torch.empty_like(rows, dtype=dtype).bernoulli_(1 - p).div_(1 - p)


class LowRankSum(torch.autograd.Function):
    """x [rows, in] times a frozen weight [out, in], and what adapters add to rows of their own: [rows, out].

    On its rows an adapter does the same operations in the same order whatever rows stand beside them.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        owns: Sequence[Own],
        *factors: torch.Tensor,
    ) -> torch.Tensor:
        """`factors`: of each of `owns` A [rank, in] and B [out, rank], in turns."""
        result = linear(x, weight, bias)
        inners = []
        for own, down, up in zip(owns, factors[::2], factors[1::2], strict=True):
            inner = down.mm(_dropped(_rows(x, own), own).t())
            _rows(result, own).addmm_(inner.t(), up.t(), alpha=own.scale)
            inners.append(inner)
        ctx.save_for_backward(x, weight, *factors, *inners)
        ctx.owns = owns
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        owns: Sequence[Own] = ctx.owns
        x, weight, *rest = ctx.saved_tensors
        factors, inners = rest[: 2 * len(owns)], rest[2 * len(owns) :]
        of_input = gradient.mm(weight) if ctx.needs_input_grad[0] else None
        of_factors: list[torch.Tensor] = []
        for own, down, up, inner in zip(owns, factors[::2], factors[1::2], inners, strict=True):
            of_result, scale = _rows(gradient, own), own.scale
            of_inner = up.t().mm(of_result.t())
            of_factors += [
                _scaled_product(scale, of_inner, _dropped(_rows(x, own), own)),
                _gradient_of_up(scale, inner, of_result),
            ]
            if of_input is not None and own.noise is None:
                _rows(of_input, own).addmm_(of_inner.t(), down, alpha=scale)
            elif of_input is not None:
                _rows(of_input, own).add_(_dropped(_scaled_product(scale, of_inner.t(), down), own))
        return (of_input, None, None, None, *of_factors)


def _rows(whole: torch.Tensor, own: Own) -> torch.Tensor:
    return whole if own.num_rows == whole.shape[0] else whole.narrow(0, own.start, own.num_rows)


def _dropped(rows: torch.Tensor, own: Own) -> torch.Tensor:
    return rows if own.noise is None else (rows * own.noise).to(rows.dtype)


def _gradient_of_up(scale: float, inner: torch.Tensor, of_result: torch.Tensor) -> torch.Tensor:
    """That of B [out, rank]; on a CPU in the quicker layout, elsewhere in B's own, which need not be copied."""
    if inner.device.type == "cpu":
        return _scaled_product(scale, inner, of_result).t()
    return _scaled_product(scale, of_result.t(), inner.t())


def _scaled_product(scale: float, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return left.new_empty(left.shape[0], right.shape[1]).addmm_(left, right, beta=0, alpha=scale)
