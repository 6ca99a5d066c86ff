"""Prompts that begin alike: what they share runs through the model once, its keys and values serve every row.

Only where every layer attends to all that came before: a sliding window or a recurrent state of the prefix cannot be
handed to several rows as it is. Models with such layers run each prompt whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftsweep.models.cache_argument import with_cache
from ftsweep.models.inner import transformers_model

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_MASKED_ATTENTION = ("sdpa", "eager")
"""Implementations of attention that take a mask of any shape."""


@dataclass(frozen=True)
class SharedPrefix:
    """The tokens that all prompts begin with, and each layer's keys and values of them [1, heads, length, size]."""

    length: int
    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...] = ()

    def arguments(self, model: PreTrainedModel, num_rows: int) -> dict[str, Any]:
        """With these keywords the model goes on behind the prefix in so many rows: with a fresh cache that holds it."""
        from transformers import DynamicCache

        if not self.layers:
            return {"use_cache": False}
        rows = [(k.expand(num_rows, -1, -1, -1), v.expand(num_rows, -1, -1, -1)) for k, v in self.layers]
        return {**with_cache(transformers_model(model).forward, DynamicCache(rows)), "use_cache": True}


def run_prefix(model: PreTrainedModel, ids: Sequence[int]) -> SharedPrefix:
    """Run the prefix once. `can_share` must hold."""
    import torch
    from transformers import DynamicCache

    if not ids:
        return SharedPrefix(0)
    cache = DynamicCache()
    inner = transformers_model(model)
    backbone = getattr(inner, inner.base_model_prefix)  # its output layer would make logits that nobody reads
    given = torch.tensor([list(ids)], device=inner.device)
    backbone(input_ids=given, **with_cache(backbone.forward, cache), use_cache=True)
    layers: Any = cache.layers  # all of one kind, as `can_share` has seen
    return SharedPrefix(len(ids), tuple((layer.keys, layer.values) for layer in layers))


def can_share(model: PreTrainedModel) -> bool:
    """Whether every layer of this model attends to all tokens before, with an attention that takes any mask."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    inner = transformers_model(model)
    layers = DynamicCache(config=inner.config).layers
    is_full = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
    return is_full and inner.config._attn_implementation in _MASKED_ATTENTION


def common_length(prompts: Sequence[Sequence[int]], limits: Sequence[int]) -> int:
    """How many first tokens all prompts share; at most `limits[i]` of prompt i, and never all of one."""
    first = prompts[0]
    length = min(*(min(limit, len(prompt) - 1) for limit, prompt in zip(limits, prompts, strict=True)), len(first) - 1)
    for prompt in prompts[1:]:
        length = next((place for place in range(length) if prompt[place] != first[place]), length)
    return max(0, length)


def row_batches(lengths: Sequence[int], *, tokens_per_batch: int, most: int) -> Iterator[list[int]]:
    """Indices of rows, longest first, in batches of `tokens_per_batch` padded tokens and at most `most` rows."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    start = 0
    while start < len(order):
        num_rows = max(1, min(most, tokens_per_batch // max(1, lengths[order[start]])))
        yield order[start : start + num_rows]
        start += num_rows
