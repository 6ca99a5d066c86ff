"""How far weights have moved from the base: squared Euclidean distances, as functions that can be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

Distance = Callable[[], "torch.Tensor"]
"""The squared distance of a part of the weights as they are now: float32, shape []."""


def weight_distances(model: nn.Module, left_out: Mapping[str, nn.Module]) -> list[Distance]:
    """One distance for each weight that trains, from a copy of it made now. Modules that are left out do not count."""
    new = {id(weight) for module in left_out.values() for weight in module.parameters()}
    trained = [weight for weight in model.parameters() if weight.requires_grad and id(weight) not in new]
    return [_distance_from_now(weight) for weight in trained]


def low_rank_distance(down: torch.Tensor, up: torch.Tensor, scale: float) -> torch.Tensor:
    """||scale * up @ down||² of factors [rank, in] and [out, rank], in float32, through products of rank x rank only.

    tr((BA)'(BA)) = tr((B'B)(AA')), and both of these are symmetric.
    """
    down, up = down.float(), up.float()
    return scale**2 * ((up.T @ up) * (down @ down.T)).sum()


def _distance_from_now(weight: nn.Parameter) -> Distance:
    base = weight.detach().clone()
    return lambda: (weight.float() - base.float()).square().sum()
