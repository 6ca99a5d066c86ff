"""The layers of a padded pass: the rows of all lanes are one batch, and each lane has as many rows as the others.

What is frozen is computed as of any batch; the adapters of all lanes are batched products [lanes, tokens, ...].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import dropout as torch_dropout
from torch.nn.functional import linear
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from ftsweep.strategies.low_rank import dropout_noise
from ftsweep.training.lanes.body import SeatedDropout, SeatedLinear
from ftsweep.training.lanes.conductor import BASE_ATTENTION, NoLaneError
from ftsweep.training.lanes.lane import Lane
from ftsweep.training.lanes.stack import Block, Stack

ATTENTION = "ftsweep_padded_lanes"
"""By this name transformers finds the attention; its masks are those of the base's."""


@dataclass(frozen=True)
class Rows:
    """A lane's own among those of a padded pass: its first `num_rows`, and of each the first `length` tokens."""

    lane: Lane
    num_rows: int
    length: int


@dataclass(frozen=True)
class Sheet:
    """The rows of a pass under way, `num_rows` of each lane, of `length` tokens."""

    owns: Sequence[Rows]
    num_rows: int
    length: int
    stack: Stack
    anchor: torch.Tensor
    """Asks for a gradient, so that there is a way back to what asks for none here."""

    @property
    def shape(self) -> tuple[int, int]:
        """All rows, and tokens of each."""
        return len(self.owns) * self.num_rows, self.length

    def parts(self, whole: torch.Tensor) -> Iterator[tuple[Rows, torch.Tensor]]:
        """Of something [all rows, length, ...] what is each lane's own, [rows, length, ...]."""
        by_lane = whole.unflatten(0, (len(self.owns), self.num_rows))
        for number, own in enumerate(self.owns):
            yield own, by_lane[number, : own.num_rows, : own.length]


@dataclass
class Seats:
    """What every layer of the conductor's body looks at."""

    sheet: Sheet | None = None

    def of(self, x: torch.Tensor) -> Sheet:
        """The pass under way, which `x` [all rows, length, ...] is of."""
        assert self.sheet is not None
        if x.shape[:2] != self.sheet.shape:
            raise NoLaneError("one of its layers is not given all tokens of a batch")
        return self.sheet


class StackedLinear(SeatedLinear):
    """In the place of an `nn.Linear` that lanes adapt."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sheet = self._seats.sheet
        block = None if sheet is None else sheet.stack.blocks.get(self._name)
        if block is None:
            return linear(x, self.weight, self.bias)
        sheet, dtype = self._seats.of(x), block.down.dtype
        if not torch.is_autocast_enabled(x.device.type) and not x.dtype == self.weight.dtype == dtype:
            raise NoLaneError("its layers are computed in several types")
        bias = None if self.bias is None else self.bias.to(dtype)
        noise = self._noise(sheet, x)
        result: torch.Tensor = StackedSum.apply(
            x.to(dtype).flatten(0, -2), self.weight.to(dtype), bias, block, noise, sheet.anchor
        )
        return result.view(*x.shape[:-1], -1)

    def _noise(self, sheet: Sheet, x: torch.Tensor) -> torch.Tensor | None:
        """What the lanes' own dropout multiplies their inputs by, as each draws it alone; None where none drops."""
        shares = [
            own.lane.adapters[self._name].dropout if self._name in own.lane.adapters else 0.0 for own in sheet.owns
        ]
        if not any(shares):
            return None
        noise = torch.ones_like(x, dtype=torch.promote_types(x.dtype, torch.float32))
        for share, (own, part) in zip(shares, sheet.parts(noise), strict=True):
            if share > 0:
                own.lane.own_generators()
                drawn = dropout_noise(x.new_empty(1).expand(own.num_rows * own.length, x.shape[-1]), share)
                assert drawn is not None
                part.copy_(drawn.view_as(part))
        return noise.flatten(0, -2)


class StackedSum(torch.autograd.Function):
    """x [tokens, in] times a frozen weight [out, in], and what each lane's adapter adds to its tokens: [tokens, out].

    The gradients of the adapters are added to those of the block; a lane's numbers reach no other lane, whatever they
    are.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        block: Block,
        noise: torch.Tensor | None,
        anchor: torch.Tensor,
    ) -> torch.Tensor:
        result = linear(x, weight, bias)
        inner = _by_lane(_dropped(x, noise), block).bmm(block.down.transpose(1, 2))
        _by_lane(result, block).baddbmm_(inner, block.up.transpose(1, 2))
        ctx.save_for_backward(x, weight, inner, noise)
        ctx.block = block
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        block: Block = ctx.block
        x, weight, inner, noise = ctx.saved_tensors
        of_result = _by_lane(gradient.contiguous(), block)
        of_inner = of_result.bmm(block.up)
        block.down_gradient.baddbmm_(of_inner.transpose(1, 2), _by_lane(_dropped(x, noise), block))
        block.up_gradient.baddbmm_(of_result.transpose(1, 2), inner)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None, None, None
        of_input = gradient.mm(weight)
        if noise is None:
            _by_lane(of_input, block).baddbmm_(of_inner, block.down)
        else:
            of_input += _dropped(of_inner.bmm(block.down).flatten(0, 1), noise)
        return of_input, None, None, None, None, None


def _by_lane(rows: torch.Tensor, block: Block) -> torch.Tensor:
    return rows.view(len(block.down), -1, rows.shape[-1])


def _dropped(rows: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
    return rows if noise is None else (rows * noise).to(rows.dtype)


class PaddedDropout(SeatedDropout):
    """In the place of the body's own `nn.Dropout`: each lane drops of its rows what it would drop alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        noise = torch.ones_like(x, dtype=torch.promote_types(x.dtype, torch.float32))
        for own, part in self._seats.of(x).parts(noise):
            own.lane.own_generators()
            kept = torch_dropout(torch.ones(part.shape, dtype=x.dtype, device=x.device), self.p) != 0
            part.copy_(kept).div_(1 - self.p)
        return (x * noise).to(x.dtype)


def padded_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' functions: of heads [rows, heads, tokens, size] the result is [rows, tokens, heads, size].

    Of all rows at once; where it drops something, lane by lane, as each draws alone.
    """
    alone = ALL_ATTENTION_FUNCTIONS[BASE_ATTENTION]
    if dropout == 0:
        result, _ = alone(module, query, key, value, attention_mask, dropout=dropout, **settings)
        return result, None
    seats: Seats = module.lane_seats  # type: ignore[assignment]  # the conductor puts it on every module
    heads = [each.transpose(1, 2) for each in (query, key, value)]
    sheet = seats.of(heads[0])
    whole = torch.zeros_like(heads[0])
    parts = [[part for _, part in sheet.parts(each)] for each in heads]
    for number, (own, part) in enumerate(sheet.parts(whole)):
        own.lane.own_generators()
        first = number * sheet.num_rows
        mask = attention_mask
        if mask is not None:
            mask = mask[first : first + own.num_rows, :, : own.length, : own.length]
        given = [each[number].transpose(1, 2) for each in parts]
        result, _ = alone(module, *given, mask, dropout=dropout, **settings)
        part.copy_(result)
    return whole, None


ALL_ATTENTION_FUNCTIONS.register(ATTENTION, padded_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(ATTENTION, ALL_MASK_ATTENTION_FUNCTIONS[BASE_ATTENTION])
