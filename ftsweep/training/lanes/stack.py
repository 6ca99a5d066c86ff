"""The adapters of several lanes side by side, in one tensor per layer and factor: a batched product serves them all.

Lanes differ in rank and in the layers that they adapt; what one lacks is zero. The weights of all lanes go into the
stack, and its gradients back to them, through an index over all elements: as many operations for sixteen lanes as for
one, but for a concatenation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from ftsweep.training.lanes.conductor import Adapter, NoLaneError


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
        self._gradient = torch.zeros(self.size, dtype=self.weights[0].dtype, device=self.weights[0].device)
        self._gradients = [
            part.view_as(weight) for part, weight in zip(self._gradient.split(sizes), self.weights, strict=True)
        ]

    def add_gradient(self, gradient: torch.Tensor) -> None:
        """To the weights' own: [size]."""
        if self.weights[0].grad is self._gradients[0]:  # of another micro-batch of this step
            self._gradient += gradient
            return
        self._gradient.copy_(gradient)
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
    """The adapters of these lanes, in the type that a pass computes in."""

    def __init__(self, flats: Sequence[FlatAdapter], dtype: torch.dtype) -> None:
        self._flats = flats
        device = flats[0].weights[0].device
        names = list(dict.fromkeys(chain.from_iterable(each.adapters for each in flats)))
        shapes = [shape for name in names for shape in _shapes([each.adapters.get(name) for each in flats])]
        sizes = [int(np.prod(shape)) for shape in shapes]
        self._weights, self._gradients = (torch.zeros(sum(sizes), dtype=dtype, device=device) for _ in range(2))
        parts = [
            [part.view(shape) for part, shape in zip(whole.split(sizes), shapes, strict=True)]
            for whole in (self._weights, self._gradients)
        ]
        factors = zip(*(each[start::2] for each in parts for start in (0, 1)), strict=True)
        self.blocks = {name: Block(*four) for name, four in zip(names, factors, strict=True)}
        places, scales = _places(flats, names, shapes), _scales(flats)
        source = np.full(sum(sizes), len(places), dtype=np.int64)  # what no lane has is the zero behind their weights
        source[places] = np.arange(len(places))
        self._source, self._places = (torch.from_numpy(each).to(device) for each in (source, places))
        self._scales = torch.from_numpy(scales).to(device, flats[0].weights[0].dtype)
        self._zero = self._scales.new_zeros(1)

    @torch.no_grad()
    def fill(self) -> None:
        """With the weights as they are now; gradients are nothing."""
        flat = torch.cat([*chain.from_iterable(each.views for each in self._flats), self._zero])
        flat[:-1] *= self._scales
        self._weights.copy_(flat.index_select(0, self._source))
        self._gradients.zero_()

    @torch.no_grad()
    def give_gradients(self, is_reached: Sequence[bool]) -> None:
        """To the weights of the lanes that the pass back has reached."""
        flat = self._gradients.index_select(0, self._places).to(self._scales.dtype)
        flat *= self._scales
        for each, own, is_own in zip(
            self._flats, flat.split([each.size for each in self._flats]), is_reached, strict=True
        ):
            if is_own:
                each.add_gradient(own)


def _shapes(adapters: Sequence[Adapter | None]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Of A and of B of all lanes at one layer."""
    ranks = [len(each.down) for each in adapters if each is not None]
    some = next(each for each in adapters if each is not None)
    return (len(adapters), max(ranks), some.down.shape[1]), (len(adapters), len(some.up), max(ranks))


def _places(flats: Sequence[FlatAdapter], names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Where in a stack of these shapes each element of all lanes stands, int64 [elements]."""
    starts = dict(zip(names, np.cumsum([0, *(np.prod(shape) for shape in shapes)])[::2], strict=False))
    width = dict(zip(names, shapes[::2], strict=True))
    found = []
    for lane, flat in enumerate(flats):
        for name, adapter in flat.adapters.items():
            lanes, rank, size = width[name]
            own_rank, out = len(adapter.down), len(adapter.up)
            down = starts[name] + lane * rank * size
            found.append(down + np.arange(own_rank * size))
            up = starts[name] + lanes * rank * size + lane * out * rank
            found.append((up + rank * np.arange(out)[:, None] + np.arange(own_rank)).ravel())
    return np.concatenate(found).astype(np.int64)


def _scales(flats: Sequence[FlatAdapter]) -> np.ndarray:
    """What each element of all lanes is multiplied by: B has the adapter's scale in it."""
    factors = [(1.0, each.scale) for flat in flats for each in flat.adapters.values()]
    sizes = [weight.numel() for flat in flats for weight in flat.weights]
    return np.repeat(np.ravel(factors), sizes)
