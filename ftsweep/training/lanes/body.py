"""The body that lanes share: a twin of the base's, in which the layers that lanes have a part in are others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

from ftsweep.training.lanes.twin import twin

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class SeatedLinear(nn.Module):
    """In the place of an `nn.Linear` that lanes adapt. `seats` tells of the pass under way."""

    def __init__(self, name: str, base: nn.Linear, seats: Any) -> None:
        super().__init__()
        self.weight, self.bias = base.weight, base.bias
        self.in_features, self.out_features = base.in_features, base.out_features
        self._name = name
        self._seats = seats


class SeatedDropout(nn.Module):
    """In the place of the body's own `nn.Dropout`: each lane drops of its rows what it would drop alone."""

    def __init__(self, base: nn.Dropout, seats: Any) -> None:
        super().__init__()
        self.p = base.p
        self._seats = seats


def shared_body(
    base: PreTrainedModel,
    seats: Any,
    *,
    linear: Callable[[str, nn.Linear, Any], nn.Module],
    dropout: Callable[[nn.Dropout, Any], nn.Module],
    attention: str,
) -> Any:
    """In training mode, every module with the `lane_seats`; `attention` is a name that transformers knows.

    What pools rows is left to the lanes.
    """
    body: Any = twin(base).base_model
    if getattr(body, "pooler", None) is not None:
        body.pooler = None
    for name, module in list(body.named_modules()):
        if type(module) is nn.Linear:
            body.set_submodule(name, linear(name, module, seats))
        elif type(module) is nn.Dropout:
            body.set_submodule(name, dropout(module, seats))
    for module in body.modules():
        module.lane_seats = seats
    body.config._attn_implementation = attention
    return body.train()
