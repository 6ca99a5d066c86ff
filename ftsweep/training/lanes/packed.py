"""The shared pass of a CPU: all lanes' tokens behind one another, and each lane comes to the bits that it has alone."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from ftsweep.tasks.read_rows import feed_forward
from ftsweep.training.lanes.body import shared_body
from ftsweep.training.lanes.conductor import BodyInputs, Conductor, Gradients, NoLaneError, SharedPass, told_segments
from ftsweep.training.lanes.packed_attention import NAME, own_mask
from ftsweep.training.lanes.packed_layers import LaneDropout, LaneFeedForward, LaneLinear, Part, Seats
from ftsweep.training.step import MIN_TOKENS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.training.lanes.lane import Lane

TOKENS_PER_PASS = 1024
"""On a CPU a product gains nothing from more, and the pass outgrows the cache."""


class PackedConductor(Conductor):
    """Attention is that of each lane's own padded rows; linear layers, norms and embeddings are of all lanes' tokens.

    The base's own dropout is drawn for each lane from its own generators.
    """

    is_exact: ClassVar[bool] = True
    min_tokens: ClassVar[int] = MIN_TOKENS

    def __init__(self, base: PreTrainedModel) -> None:
        """`base` without an adapter; nothing of it is changed.

        Raises:
            NoLaneError: its body cannot be shared.
        """
        reason = self.refusal(base)
        if reason is not None:
            raise NoLaneError(reason)
        self._config = base.config
        self._seats = Seats()
        self._body: Any = shared_body(base, self._seats, linear=LaneLinear, dropout=LaneDropout, attention=NAME)
        if feed_forward(base) is not None:
            last = self._body.layers[-1]
            last.mlp = LaneFeedForward(last.mlp, self._seats)
        self._is_causal = any(getattr(module, "is_causal", False) for module in self._body.modules())
        taken = inspect.signature(self._body.forward).parameters
        self._settings = {"use_cache": False} if "use_cache" in taken else {}
        self.tokens_per_pass = TOKENS_PER_PASS

    @classmethod
    def refusal(cls, base: PreTrainedModel) -> str | None:
        reason = super().refusal(base)
        if reason is not None:
            return reason
        config: Any = base.config
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
            return "its attention is not over the whole row in every layer"
        if any(hasattr(module, "num_experts") or "Experts" in type(module).__name__ for module in base.modules()):
            # Of so many tokens that products come to other bits, and perhaps not yet in the steps that are looked at.
            return "each of its experts computes what it is given of all lanes' tokens"
        return None

    def num_tokens(self, shapes: Sequence[tuple[int, int]]) -> int | None:
        return sum(rows * length for rows, length in shapes)

    def forward(self, lanes: Sequence[Lane], batches: Sequence[BodyInputs]) -> SharedPass:
        parts: list[Part] = []
        for lane, inputs in zip(lanes, batches, strict=True):
            parts.append(self._part(lane, inputs, parts[-1].stop if parts else 0))
        hidden = self._hidden(batches, parts)

        def backward(gradients: Sequence[torch.Tensor | None]) -> None:
            reached = [pair for pair in zip(hidden, gradients, strict=True) if pair[1] is not None]
            if reached:
                torch.autograd.backward([states for states, _ in reached], [gradient for _, gradient in reached])

        return SharedPass(hidden, backward)

    def doubt(self, alone: Gradients, shared: Gradients) -> str | None:
        largest = largest_difference(alone, shared)
        if largest == 0:
            return None
        return f"a shared pass gives other last digits on this machine: gradients differ by up to {largest:.1e}"

    def _part(self, lane: Lane, inputs: BodyInputs, start: int) -> Part:
        rows, length = inputs.input_ids.shape
        like = self._body.get_input_embeddings().weight.new_empty(1).expand(rows, length, 1)
        mask = own_mask(self._config, like, inputs.attention_mask, is_causal=self._is_causal)
        return Part(lane.adapters, rows, length, lane.own_generators, mask, start, inputs.read)

    def _hidden(self, batches: Sequence[BodyInputs], parts: Sequence[Part]) -> list[torch.Tensor]:
        """Last hidden states [rows, length, hidden] of each lane, all of one graph."""
        ids = torch.cat([each.input_ids.reshape(1, -1) for each in batches], dim=1)
        positions = [torch.arange(part.length, device=ids.device).repeat(part.num_rows) for part in parts]
        settings: dict[str, Any] = dict(self._settings)
        segments = told_segments(batches)
        if segments is not None:
            settings["token_type_ids"] = torch.cat([each.reshape(1, -1) for each in segments], dim=1)
        self._seats.parts = parts
        try:
            states = self._body(input_ids=ids, position_ids=torch.cat(positions).unsqueeze(0), **settings)
        finally:
            self._seats.parts = ()
        split = states.last_hidden_state.split([part.num_tokens for part in parts], dim=1)
        return [own.view(part.num_rows, part.length, -1) for own, part in zip(split, parts, strict=True)]


def largest_difference(left: Gradients, right: Gradients) -> float:
    """0 where all bits are the same; of values that are no numbers nothing is asked."""
    most = 0.0
    for one, other in zip(left, right, strict=True):
        if (one is None) != (other is None):
            return float("inf")
        if one is not None and other is not None and not torch.equal(one, other):
            apart = (one - other).abs().nan_to_num(nan=0.0, posinf=float("inf"))
            most = max(most, float(apart.max()))
    return most
