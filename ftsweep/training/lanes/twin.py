"""Another module tree over the same tensors: what several trials on one base are given, each with its own adapter."""

from __future__ import annotations

from copy import deepcopy
from itertools import chain
from typing import Any, TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


def twin(model: M) -> M:
    """A copy of the modules, their hooks and settings that holds the very parameters and buffers of `model`.

    To be made of a base without an adapter. Modules can be put into a twin, and its mode changed, without `model`
    noticing; a value that is written into a tensor is written for all.
    """
    shared: dict[int, Any] = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    return deepcopy(model, shared)
