"""The shared pass of a GPU: one padded batch of all lanes' rows, in as many kernels as a batch of one trial takes.

What a small trial waits for on a GPU is the host, which launches some thousand kernels a step; padding costs little
there. A lane comes to the same numbers as alone but for rounding: products of other shapes add in another order.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet

import torch
from torch import nn

from ftsweep.evaluation.evaluate import autocast
from ftsweep.tasks.padding import looks_left, without_packed_rows
from ftsweep.training.lanes.body import shared_body
from ftsweep.training.lanes.conductor import BodyInputs, Conductor, Gradients, NoLaneError, SharedPass, told_segments
from ftsweep.training.lanes.padded_layers import ATTENTION, PaddedDropout, Rows, Seats, Sheet, StackedLinear
from ftsweep.training.lanes.stack import FlatAdapter, Layout, Stack

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.training.lanes.lane import Lane

TOKENS_PER_PASS = 1 << 15
MAX_PADDING = 2.0
"""Micro-batches whose pass would be so many times as large as they are, or more, do not go together."""
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.bfloat16: 0.05, torch.float16: 0.01}
"""By the type that is computed in: how far a gradient may be from that alone, of the length of both."""


class PaddedConductor(Conductor):
    """Each lane has as many rows as the one that has most, of as many tokens as the longest of all."""

    is_exact: ClassVar[bool] = False
    min_tokens: ClassVar[int] = 1

    def __init__(self, base: PreTrainedModel) -> None:
        """`base` without an adapter; nothing of it is changed.

        Raises:
            NoLaneError: its body cannot be shared.
        """
        reason = self.refusal(base)
        if reason is not None:
            raise NoLaneError(reason)
        self._seats = Seats()
        self._body: Any = shared_body(
            base, self._seats, linear=StackedLinear, dropout=PaddedDropout, attention=ATTENTION
        )
        self._looks_left = looks_left(base)
        taken = inspect.signature(self._body.forward).parameters
        self._settings = {"use_cache": False} if "use_cache" in taken else {}
        self.tokens_per_pass = TOKENS_PER_PASS
        self._dtype: torch.dtype = torch.float32
        self._flats: WeakSet[FlatAdapter] = WeakSet()
        self._layout = Layout({})

    @classmethod
    def refusal(cls, base: PreTrainedModel) -> str | None:
        if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in base.modules()):
            return "its norms are of a whole batch"
        rope = getattr(base.config, "rope_parameters", None) or {}
        kinds = {str(each.get("rope_type")) for each in (rope, *rope.values()) if isinstance(each, dict)}
        if any("dynamic" in kind or kind == "longrope" for kind in kinds):
            return super().refusal(base) or "its positions depend on how long the longest row of a batch is"
        return super().refusal(base)

    def num_tokens(self, shapes: Sequence[tuple[int, int]]) -> int | None:
        padded = len(shapes) * max(rows for rows, _ in shapes) * max(length for _, length in shapes)
        return padded if padded < MAX_PADDING * sum(rows * length for rows, length in shapes) else None

    def forward(self, lanes: Sequence[Lane], batches: Sequence[BodyInputs]) -> SharedPass:
        computed = {lane.stepper.evaluator.autocast_dtype for lane in lanes}
        if len(computed) != 1:
            raise NoLaneError("of two lanes one computes in another type")
        (mixed,) = computed
        ids = [each.input_ids for each in batches]
        sheet = self._sheet(lanes, ids, mixed)
        settings: dict[str, Any] = dict(self._settings)
        segments = told_segments(batches)
        if segments is not None:
            settings["token_type_ids"] = _padded(segments, sheet)
        if not self._looks_left:
            masks = [
                torch.ones_like(each.input_ids) if each.attention_mask is None else each.attention_mask
                for each in batches
            ]
            settings["attention_mask"] = _padded(masks, sheet, of_rows=1)
        self._seats.sheet = sheet
        try:
            with autocast(ids[0].device, mixed), without_packed_rows if self._looks_left else nullcontext():
                states = self._body(input_ids=_padded(ids, sheet), **settings).last_hidden_state
        finally:
            self._seats.sheet = None

        def backward(gradients: Sequence[torch.Tensor | None]) -> None:
            whole = torch.zeros_like(states)
            for (_, part), gradient in zip(sheet.parts(whole), gradients, strict=True):
                if gradient is not None:
                    part.copy_(gradient)
            states.backward(whole)
            sheet.stack.give_gradients([gradient is not None for gradient in gradients])

        return SharedPass([part for _, part in sheet.parts(states.detach())], backward)

    def doubt(self, alone: Gradients, shared: Gradients) -> str | None:
        apart = relative_distance(alone, shared)
        most = _TOLERANCE[self._dtype]
        if apart <= most:
            return None
        return f"a shared pass gives another gradient: {apart:.1e} of its length away, where {most} is rounding"

    def _sheet(self, lanes: Sequence[Lane], ids: Sequence[torch.Tensor], mixed: torch.dtype | None) -> Sheet:
        self._dtype = dtype = mixed or lanes[0].flat.weights[0].dtype
        owns = [Rows(lane, *each.shape) for lane, each in zip(lanes, ids, strict=True)]
        anchor = torch.zeros((), device=ids[0].device, requires_grad=True)
        num_rows, length = max(own.num_rows for own in owns), max(own.length for own in owns)
        return Sheet(owns, num_rows, length, self._stack([lane.flat for lane in lanes], dtype), anchor)

    def _stack(self, flats: Sequence[FlatAdapter], dtype: torch.dtype) -> Stack:
        """Of these, in rows with room for all lanes that there are: who is in a pass changes with its lengths."""
        if not self._flats.issuperset(flats):
            self._flats.update(flats)
            layout = Layout.of(each.adapters for each in self._flats)
            self._layout = self._layout if layout == self._layout else layout
        return Stack(flats, self._layout, dtype)


def _padded(parts: Sequence[torch.Tensor], sheet: Sheet, *, of_rows: int = 0) -> torch.Tensor:
    """One batch [all rows, length] of the lanes' batches; rows that no lane has are of `of_rows`, padding is 0."""
    whole = parts[0].new_full(sheet.shape, of_rows)
    by_lane = whole.view(len(parts), sheet.num_rows, sheet.length)
    for own, rows, part in zip(sheet.owns, by_lane, parts, strict=True):
        if of_rows and own.length < sheet.length:
            rows[: own.num_rows, own.length :] = 0
        rows[: own.num_rows, : own.length] = part
    return whole


def relative_distance(left: Gradients, right: Gradients) -> float:
    """The length of what two gradients differ by, over that of the longer; of what is no number nothing is asked."""
    if [each is None for each in left] != [each is None for each in right]:
        return float("inf")
    one, other = (
        torch.cat([each.double().flatten() for each in tensors if each is not None]) for tensors in (left, right)
    )
    apart, longer = (one - other).norm(), torch.maximum(one.norm(), other.norm())
    return float((apart / longer.clamp_min(1e-30)).nan_to_num(0.0, posinf=0.0))
