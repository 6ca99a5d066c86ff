"""The adapters of several lanes side by side, in one tensor: a batched product per layer and factor serves them all.

Lanes differ in rank and in the layers that they adapt; what one lacks is zero. Each lane has a row of the tensor, and
an index of where in it its own numbers stand. The index depends on the places of all factors in a row, not on which
lanes are in a pass: that changes from step to step, and takes no more than new rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import torch

from ftsweep.training.lanes.conductor import Adapter, NoLaneError

_ALIGNED = 16
"""Elements: where a factor begins, so that products of a GPU read it in their widest way."""


@dataclass(frozen=True)
class Layout:
    """Where in a row the factors of each adapted layer stand."""

    shapes: Mapping[str, tuple[int, int, int]]
    """By name of the layer the largest rank, its inputs and its outputs."""

    @classmethod
    def of(cls, adapters: Iterable[Mapping[str, Adapter]]) -> Layout:
        """With room for each of these lanes' adapters."""
        shapes: dict[str, tuple[int, int, int]] = {}
        for name, adapter in chain.from_iterable(each.items() for each in adapters):
            (rank, num_in), num_out = adapter.down.shape, len(adapter.up)
            shapes[name] = (max(rank, shapes.get(name, (0,))[0]), num_in, num_out)
        return cls(shapes)

    @cached_property
    def sizes(self) -> list[int]:
        """Of all factors, A and B in turns, with what stands between them and the next one."""
        wanted = chain.from_iterable((rank * num_in, num_out * rank) for rank, num_in, num_out in self.shapes.values())
        return [-(-size // _ALIGNED) * _ALIGNED for size in wanted]

    @cached_property
    def starts(self) -> dict[str, tuple[int, int]]:
        """Of A and of B of each layer."""
        ends = np.cumsum([0, *self.sizes]).tolist()
        return dict(zip(self.shapes, zip(ends[::2], ends[1::2], strict=False), strict=True))

    def factors(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """Of rows [lanes, sum of sizes] A [lanes, rank, in] and B [lanes, out, rank] of each layer, in turns."""
        parts, found = iter(rows.split(self.sizes, dim=1)), []
        lanes, stride = rows.shape[0], rows.stride(0)
        for rank, num_in, num_out in self.shapes.values():
            found.append(next(parts).as_strided((lanes, rank, num_in), (stride, num_in, 1)))
            found.append(next(parts).as_strided((lanes, num_out, rank), (stride, rank, 1)))
        return found


class FlatAdapter:
    """A lane's adapter as one row of numbers: layer after layer A [rank, in], then B [out, rank]."""

    def __init__(self, adapters: Mapping[str, Adapter]) -> None:
        """Raises:
        NoLaneError: its weights are held in several types.
        """
        self.adapters = adapters
        self.weights = list(chain.from_iterable((each.down, each.up) for each in adapters.values()))
        types = {weight.dtype for weight in self.weights}
        if len(types) != 1 or not all(weight.is_contiguous() for weight in self.weights):
            raise NoLaneError("its adapter's weights are held in several ways")
        self.views = [weight.detach().view(-1) for weight in self.weights]
        sizes = [weight.numel() for weight in self.weights]
        self.size = sum(sizes)
        factors = np.ravel([(1.0, each.scale) for each in adapters.values()])
        like = self.weights[0].detach()
        self.scales = torch.from_numpy(np.repeat(factors, sizes)).to(like)
        """What each element is multiplied by in a stack: B has the adapter's scale in it."""
        self._gradient = like.new_zeros(self.size)
        self._gradients = [
            part.view_as(weight) for part, weight in zip(self._gradient.split(sizes), self.weights, strict=True)
        ]
        self._places: tuple[Layout, torch.Tensor] | None = None

    def places(self, layout: Layout) -> torch.Tensor:
        """Where in a row each element stands, int64 [size]."""
        if self._places is None or self._places[0] is not layout:
            self._places = layout, torch.from_numpy(_places(self.adapters, layout)).to(self.weights[0].device)
        return self._places[1]

    def add_gradient(self, of_stacked: torch.Tensor) -> None:
        """To the weights' own, of that of its elements in a stack: [size]."""
        if self.weights[0].grad is self._gradients[0]:  # of another micro-batch of this step
            self._gradient.addcmul_(of_stacked.to(self.scales.dtype), self.scales)
            return
        torch.mul(of_stacked, self.scales, out=self._gradient)
        for weight, own in zip(self.weights, self._gradients, strict=True):
            assert weight.grad is None
            weight.grad = own


@dataclass(frozen=True)
class Block:
    """The adapters of one layer. `up` has their scales in it; gradients are added to."""

    down: torch.Tensor
    """[lanes, rank, in]."""
    up: torch.Tensor
    """[lanes, out, rank]."""
    down_gradient: torch.Tensor
    up_gradient: torch.Tensor


class Stack:
    """The adapters of these lanes as they are now, in the type that a pass computes in; gradients are nothing."""

    @torch.no_grad()
    def __init__(self, flats: Sequence[FlatAdapter], layout: Layout, dtype: torch.dtype) -> None:
        self._flats = flats
        self._layout = layout
        both = torch.zeros(2, len(flats), sum(layout.sizes), dtype=dtype, device=flats[0].views[0].device)
        weights, self._gradients = both.unbind()
        numbers = torch.cat([*chain.from_iterable(each.views for each in flats)])
        parts = numbers.split([each.size for each in flats])
        torch._foreach_mul_(parts, [each.scales for each in flats])
        stacked = numbers.to(dtype).split([each.size for each in flats])
        for row, own, each in zip(weights, stacked, flats, strict=True):
            row.index_copy_(0, each.places(layout), own)
        factors, gradients = layout.factors(weights), layout.factors(self._gradients)
        by_layer = zip(factors[::2], factors[1::2], gradients[::2], gradients[1::2], strict=True)
        self.blocks = {name: Block(*four) for name, four in zip(layout.shapes, by_layer, strict=True)}

    @torch.no_grad()
    def give_gradients(self, is_reached: Sequence[bool]) -> None:
        """To the weights of the lanes that the pass back has reached."""
        for each, row, is_own in zip(self._flats, self._gradients, is_reached, strict=True):
            if is_own:
                each.add_gradient(row.index_select(0, each.places(self._layout)))


def _places(adapters: Mapping[str, Adapter], layout: Layout) -> np.ndarray:
    found = []
    for name, adapter in adapters.items():
        (own_rank, num_in), num_out = adapter.down.shape, len(adapter.up)
        down, up = layout.starts[name]
        found.append(down + np.arange(own_rank * num_in))
        found.append((up + layout.shapes[name][0] * np.arange(num_out)[:, None] + np.arange(own_rank)).ravel())
    return np.concatenate(found)
