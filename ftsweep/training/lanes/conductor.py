"""What lanes share: a pass of all their batches through one body. There are two ways of it, one for CPUs, one for GPUs.

The packed way (`packed`) has all tokens behind one another and gives each lane the very bits that it comes to alone.
The padded way (`padded`) has all rows in one batch and launches as many kernels for sixteen lanes as for one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from ftsweep.strategies.lean import LeanLinear, dropout_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.training.lanes.lane import Lane

BASE_ATTENTION = "sdpa"
"""What a body must use alone."""

Gradients = list[torch.Tensor | None]

_DRAWN = ("layerdrop", "encoder_layerdrop", "decoder_layerdrop", "router_jitter_noise", "input_jitter_noise")
"""Shares in a model's settings of what it leaves out, or changes, by chance; dropout has modules of its own."""
_IGNORED = frozenset({"return_dict", "use_cache", "output_attentions", "output_hidden_states"})


class NoLaneError(Exception):
    """What is asked cannot be done in a shared pass; the message says why."""


@dataclass(frozen=True)
class Adapter:
    """What a lane adds at one layer while it trains."""

    down: torch.Tensor
    """A [rank, in]."""
    up: torch.Tensor
    """B [out, rank]."""
    scale: float
    dropout: float

    @classmethod
    def of(cls, layer: LeanLinear) -> Adapter:
        """Of a layer whose adapter is on."""
        (name,) = layer.active_adapters
        down: Any = layer.lora_A[name]
        up: Any = layer.lora_B[name]
        return cls(down.weight, up.weight, layer.scaling[name], dropout_of(layer, name))


@dataclass(frozen=True)
class BodyInputs:
    """What a model gives its body, of one batch: int64 [rows, length] each."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor | None
    token_type_ids: torch.Tensor | None
    read: torch.Tensor | None = None
    """The flat positions whose hidden states are read, int64 [positions]; None: all."""

    @classmethod
    def of_call(cls, args: Sequence[Any], settings: Mapping[str, Any], read: torch.Tensor | None) -> BodyInputs:
        """Of a call of the body, of whose hidden states these are read.

        Raises:
            NoLaneError: it is given what a shared pass has no place for.
        """
        given = {**settings, **dict(zip(("input_ids", "attention_mask"), args, strict=False))}
        known = {"input_ids", "attention_mask", "token_type_ids"}
        more = sorted(name for name, value in given.items() if value is not None and name not in known | _IGNORED)
        if more or given.get("input_ids") is None or given.get("output_hidden_states"):
            raise NoLaneError(f"the model's body is given more than token ids: {', '.join(more) or 'no ids'}")
        return cls(given["input_ids"], given.get("attention_mask"), given.get("token_type_ids"), read)


def told_segments(batches: Sequence[BodyInputs]) -> list[torch.Tensor] | None:
    """Which segment each token belongs to, of all batches; None where the models are not told.

    Raises:
        NoLaneError: some are told, and some are not.
    """
    known = [each.token_type_ids for each in batches if each.token_type_ids is not None]
    if known and len(known) < len(batches):
        raise NoLaneError("of two lanes one tells segments apart, and the other does not")
    return known or None


@dataclass(frozen=True)
class SharedPass:
    """The forward pass of several lanes, and its way back."""

    hidden: Sequence[torch.Tensor]
    """The last hidden states of each lane, [rows, length, hidden]."""
    backward: Callable[[Sequence[torch.Tensor | None]], None]
    """Given the gradient of each lane's `hidden`, None where it has none: adds those of the lanes' adapters."""


class Conductor(ABC):
    """Computes hidden states of several lanes' batches on one base, whose adapters differ."""

    is_exact: ClassVar[bool]
    """Whether a lane comes to the bits that it comes to alone; else to the same numbers but for rounding."""
    min_tokens: ClassVar[int]
    """Of a micro-batch, padding counted; what has fewer is computed alone."""
    tokens_per_pass: int
    """At most, of all lanes together; less from when memory has run out."""

    @classmethod
    def refusal(cls, base: PreTrainedModel) -> str | None:
        """Why the body of this model cannot be shared; None where it can, as far as is seen without a pass."""
        if base.base_model is base:
            return f"{type(base).__name__} has no body apart from its head"
        if base.config.is_encoder_decoder:
            return "it is an encoder-decoder, whose body is given more than token ids"
        drawn = next((name for name in _DRAWN if getattr(base.config, name, None)), None)
        if drawn is not None:  # what is drawn may be nothing in the steps that are also taken alone
            return f"its {drawn} is drawn for a whole batch"
        attention = base.config._attn_implementation
        return None if attention == BASE_ATTENTION else f"its attention is {attention!r}, not {BASE_ATTENTION!r}"

    @abstractmethod
    def num_tokens(self, shapes: Sequence[tuple[int, int]]) -> int | None:
        """Of a pass over micro-batches of these (rows, length), what is padded counted; None: they do not go well
        together."""

    @abstractmethod
    def forward(self, lanes: Sequence[Lane], batches: Sequence[BodyInputs]) -> SharedPass:
        """The pass of these lanes over a batch each.

        Raises:
            NoLaneError: it cannot be done.
        """

    @abstractmethod
    def doubt(self, alone: Gradients, shared: Gradients) -> str | None:
        """What is wrong with the gradient of a shared step that came to `alone` without the others; None: nothing."""
