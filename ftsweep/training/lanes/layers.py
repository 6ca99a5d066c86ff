"""The layers of the pass that lanes share: what is frozen is computed for all tokens at once, each lane's own on its.

The operations on a lane's rows, forward and backward, are those of `ftsweep.strategies.lean` alone, in their order, so
that the same bits come out: rows of a product do not depend on the rows beside them (from `MIN_TOKENS` on).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from ftsweep.strategies.lean import LeanLinear

MIN_TOKENS = 32
"""Below this number of rows a product may take another way, and give other last bits, than among more rows."""


@dataclass
class Part:
    """One lane's batch in a shared pass."""

    layers: Mapping[str, LeanLinear]
    """Its adapted layers by their name in the body."""
    num_rows: int
    length: int
    own_generators: Callable[[], None]
    """Has torch's generators stand where this lane left them."""
    mask: torch.Tensor | None = None
    """What its attention takes, as the body alone would make it."""
    start: int = 0
    """Its first token among those of all lanes."""

    @property
    def num_tokens(self) -> int:
        """Padded ones."""
        return self.num_rows * self.length

    @property
    def stop(self) -> int:
        return self.start + self.num_tokens


@dataclass
class Seats:
    """The lanes of the pass under way, which every layer of the conductor's body looks at."""

    parts: Sequence[Part] = field(default=())


@dataclass(frozen=True)
class _Own:
    """What one lane adds to a product: `scale` times the low-rank product of its rows."""

    start: int
    stop: int
    scale: float
    noise: torch.Tensor | None


class _SharedLinear(torch.autograd.Function):
    """x [tokens, in] times the base's weight for all, each lane's low-rank product added into its own rows."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        owns: Sequence[_Own],
        *factors: torch.Tensor,
    ) -> torch.Tensor:
        """`factors`: of each of `owns` A [rank, in] and B [out, rank], in turns."""
        result = linear(x, weight, bias)
        inners = []
        for own, down, up in zip(owns, factors[::2], factors[1::2], strict=True):
            inner = linear(_dropped(x, own), down)
            result[own.start : own.stop].addmm_(inner, up.t(), alpha=own.scale)
            inners.append(inner)
        ctx.save_for_backward(x, weight, *factors, *inners)
        ctx.owns = owns
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        owns: Sequence[_Own] = ctx.owns
        x, weight, *rest = ctx.saved_tensors
        factors, inners = rest[: 2 * len(owns)], rest[2 * len(owns) :]
        of_input = gradient.mm(weight) if ctx.needs_input_grad[0] else None
        of_factors: list[torch.Tensor] = []
        for own, down, up, inner in zip(owns, factors[::2], factors[1::2], inners, strict=True):
            rows = gradient[own.start : own.stop]
            of_inner = _scaled(rows.mm(up), own.scale)
            of_factors += [of_inner.t().mm(_dropped(x, own)), _scaled(rows.t().mm(inner), own.scale)]
            if of_input is not None:
                of_own = of_input[own.start : own.stop]
                if own.noise is None:
                    of_own.addmm_(of_inner, down)
                else:
                    of_own.add_(of_inner.mm(down).mul_(own.noise))
        return (of_input, None, None, None, *of_factors)


def _dropped(x: torch.Tensor, own: _Own) -> torch.Tensor:
    rows = x[own.start : own.stop]
    return rows if own.noise is None else rows * own.noise


def _scaled(gradient: torch.Tensor, scale: float) -> torch.Tensor:
    return gradient if scale == 1 else gradient.mul_(scale)


class LaneLinear(nn.Module):
    """In the place of an `nn.Linear` that lanes adapt."""

    def __init__(self, name: str, base: nn.Linear, seats: Seats) -> None:
        super().__init__()
        self.weight, self.bias = base.weight, base.bias
        self.in_features, self.out_features = base.in_features, base.out_features
        self._name = name
        self._seats = seats

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(0, -2)
        owns: list[_Own] = []
        factors: list[torch.Tensor] = []
        for part in self._seats.parts:
            layer = part.layers.get(self._name)
            if layer is not None:
                (name,) = layer.active_adapters
                down: Any = layer.lora_A[name]
                up: Any = layer.lora_B[name]
                p = getattr(layer.lora_dropout[name], "p", 0.0)  # without dropout PEFT puts an nn.Identity there
                noise = _noise(flat[part.start : part.stop], part, p) if layer.training else None
                owns.append(_Own(part.start, part.stop, layer.scaling[name], noise))
                factors += [down.weight, up.weight]
        if not owns:
            return linear(x, self.weight, self.bias)
        result: torch.Tensor = _SharedLinear.apply(flat, self.weight, self.bias, owns, *factors)
        return result.view(*x.shape[:-1], -1)


class LaneDropout(nn.Module):
    """In the place of the body's own `nn.Dropout`: each lane draws for its rows as it would alone."""

    def __init__(self, base: nn.Dropout, seats: Seats) -> None:
        super().__init__()
        self.p = base.p
        self._seats = seats

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        noise = torch.empty_like(x)
        for part in self._seats.parts:
            rows = noise[:, part.start : part.stop]
            drawn = _noise(rows, part, self.p)
            assert drawn is not None
            rows.copy_(drawn)
        return x * noise


def _noise(rows: torch.Tensor, part: Part, p: float) -> torch.Tensor | None:
    """What torch's dropout multiplies by, drawn from the lane's own generator."""
    if p == 0:
        return None
    part.own_generators()
    return torch.empty_like(rows).bernoulli_(1 - p).div_(1 - p)
