"""Attention of a packed pass: each lane's rows by themselves, by the very function that the body uses alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from ftsweep.models.cache_argument import with_cache
from ftsweep.training.lanes.conductor import BASE_ATTENTION
from ftsweep.training.lanes.packed_layers import Seats

NAME = "ftsweep_lanes"
"""By this name transformers finds it. It knows no mask of this name, so that the body makes none for all rows."""


def lane_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' functions: of heads [1, heads, tokens, size] the result is [1, tokens, heads, size]."""
    assert attention_mask is None
    seats: Seats = module.lane_seats  # type: ignore[assignment]  # the conductor puts it on every module
    alone = ALL_ATTENTION_FUNCTIONS[BASE_ATTENTION]
    settings.pop("position_ids", None)
    sizes = [part.num_tokens for part in seats.parts]
    split = [heads.transpose(1, 2).split(sizes, dim=1) for heads in (query, key, value)]
    results = []
    for part, *heads in zip(seats.parts, *split, strict=True):
        own = [each.view(part.num_rows, part.length, *each.shape[2:]).transpose(1, 2) for each in heads]
        if dropout > 0:
            part.own_generators()
        result, _ = alone(module, *own, part.mask, dropout=dropout, **settings)
        results.append(result.reshape(1, part.num_tokens, *result.shape[2:]))
    return torch.cat(results, dim=1), None


def own_mask(config: Any, inputs: torch.Tensor, mask: torch.Tensor | None, *, is_causal: bool) -> torch.Tensor | None:
    """The mask that a body with this `config` makes of a lane's padding mask [rows, length].

    `inputs` [rows, length, hidden] are looked at for their shape and type alone.
    """
    if mask is None or bool(mask.all()):
        return None  # nothing is padded, and what is causal the attention knows of itself
    made: Any
    if is_causal:
        none = with_cache(create_causal_mask, None)
        made = create_causal_mask(config=config, inputs_embeds=inputs, attention_mask=mask, **none)
    else:
        made = create_bidirectional_mask(config=config, inputs_embeds=inputs, attention_mask=mask)
    return made  # type: ignore[no-any-return]


ALL_ATTENTION_FUNCTIONS.register(NAME, lane_attention)
