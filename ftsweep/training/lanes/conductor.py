"""One body for all lanes on a base: their batches go through it behind one another, in one forward and one backward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ftsweep.tasks.read_rows import feed_forward
from ftsweep.training.lanes.attention import BASE, NAME, own_mask
from ftsweep.training.lanes.layers import Adapter, LaneDropout, LaneFeedForward, LaneLinear, Part, Seats
from ftsweep.training.lanes.twin import twin

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKENS_PER_PASS = 1024
"""Of all lanes together. On a CPU a product gains nothing from more, and the pass outgrows the cache."""

_IGNORED = frozenset({"return_dict", "use_cache", "output_attentions", "output_hidden_states"})


class NoLaneError(Exception):
    """What is asked cannot be done in a shared pass; the message says why."""


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
            NoLaneError: it is given what a packed pass has no place for.
        """
        given = {**settings, **dict(zip(("input_ids", "attention_mask"), args, strict=False))}
        known = {"input_ids", "attention_mask", "token_type_ids"}
        more = sorted(name for name, value in given.items() if value is not None and name not in known | _IGNORED)
        if more or given.get("input_ids") is None or given.get("output_hidden_states"):
            raise NoLaneError(f"the model's body is given more than token ids: {', '.join(more) or 'no ids'}")
        return cls(given["input_ids"], given.get("attention_mask"), given.get("token_type_ids"), read)


class Conductor:
    """Computes hidden states of several lanes' batches on one base, whose adapters differ.

    Attention is that of each lane's own padded rows; linear layers, norms and embeddings are of all lanes' tokens. The
    base's own dropout is drawn for each lane from its own generators.
    """

    def __init__(self, base: PreTrainedModel) -> None:
        """`base` without an adapter; nothing of it is changed.

        Raises:
            NoLaneError: its body cannot be shared.
        """
        reason = _refusal(base)
        if reason is not None:
            raise NoLaneError(reason)
        self._config = base.config
        self._seats = Seats()
        self._body: Any = _shared_body(base, self._seats)
        self._is_causal = any(getattr(module, "is_causal", False) for module in self._body.modules())
        taken = inspect.signature(self._body.forward).parameters
        self._settings = {"use_cache": False} if "use_cache" in taken else {}
        self.tokens_per_pass = TOKENS_PER_PASS

    def part(
        self, inputs: BodyInputs, adapters: Mapping[str, Adapter], own_generators: Callable[[], None], start: int
    ) -> Part:
        """A lane's place in a pass."""
        rows, length = inputs.input_ids.shape
        like = self._body.get_input_embeddings().weight.new_empty(1).expand(rows, length, 1)
        mask = own_mask(self._config, like, inputs.attention_mask, is_causal=self._is_causal)
        return Part(adapters, rows, length, own_generators, mask, start, inputs.read)

    def hidden(self, batches: Sequence[BodyInputs], parts: Sequence[Part]) -> list[torch.Tensor]:
        """Last hidden states [rows, length, hidden] of each lane, all of one graph."""
        ids = torch.cat([each.input_ids.reshape(1, -1) for each in batches], dim=1)
        positions = [torch.arange(part.length, device=ids.device).repeat(part.num_rows) for part in parts]
        settings: dict[str, Any] = dict(self._settings)
        types = [each.token_type_ids for each in batches]
        if any(each is not None for each in types):
            known = [each.reshape(1, -1) for each in types if each is not None]
            if len(known) < len(types):
                raise NoLaneError("of two lanes one tells segments apart, and the other does not")
            settings["token_type_ids"] = torch.cat(known, dim=1)
        self._seats.parts = parts
        try:
            states = self._body(input_ids=ids, position_ids=torch.cat(positions).unsqueeze(0), **settings)
        finally:
            self._seats.parts = ()
        split = states.last_hidden_state.split([part.num_tokens for part in parts], dim=1)
        return [own.view(part.num_rows, part.length, -1) for own, part in zip(split, parts, strict=True)]


def _refusal(base: PreTrainedModel) -> str | None:
    """Why the body of this model cannot be shared; None where it can, as far as is seen without a pass."""
    config: Any = base.config
    if base.base_model is base:
        return f"{type(base).__name__} has no body apart from its head"
    if config._attn_implementation != BASE:
        return f"its attention is {config._attn_implementation!r}, not {BASE!r}"
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        return "its attention is not over the whole row in every layer"
    return None


def _shared_body(base: PreTrainedModel, seats: Seats) -> Any:
    """A twin of the model's body with the layers that know of lanes; what pools rows is left to the lanes."""
    whole: Any = twin(base)
    body = whole.base_model
    if getattr(body, "pooler", None) is not None:
        body.pooler = None
    for name, module in list(body.named_modules()):
        if type(module) is nn.Linear:
            body.set_submodule(name, LaneLinear(name, module, seats))
        elif type(module) is nn.Dropout:
            body.set_submodule(name, LaneDropout(module, seats))
    if (part := feed_forward(whole)) is not None:
        body.layers[-1].mlp = LaneFeedForward(part, seats)
    for module in body.modules():
        module.lane_seats = seats
    body.config._attn_implementation = NAME
    return body.train()
