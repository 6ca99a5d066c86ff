"""Prefix tuning (Li and Liang 2021, arXiv 2101.00190) through PEFT: learned keys and values in every layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from ftsweep.errors import ConfigError
from ftsweep.models.cache_argument import cache_argument, with_cache
from ftsweep.strategies.adapters import ADAPTER
from ftsweep.strategies.virtual_tokens import VirtualTokens

if TYPE_CHECKING:
    import torch
    from peft import PrefixTuningConfig
    from torch import nn
    from transformers import PreTrainedModel

    from ftsweep.config.schema import TrainingSettings
    from ftsweep.models.base import Head
    from ftsweep.tasks.base import Task


class PrefixTuning(VirtualTokens):
    """Keys and values of virtual tokens train in every layer, and a new head in full."""

    def __init__(self, *, num_virtual_tokens: int = 20, init: Literal["vocabulary", "random"] = "vocabulary") -> None:
        """`init` vocabulary starts from what the base computes of tokens drawn from its vocabulary, random from noise.

        The keys and values train themselves; there is no network that makes them.
        """
        super().__init__(num_virtual_tokens=num_virtual_tokens, init=init)

    def check_training(self, task: Task, training: TrainingSettings) -> None:
        super().check_training(task, training)
        if training.gradient_checkpointing:
            raise ConfigError(
                "layers that are recomputed are given no prefix: transformers takes it from them",
                where="training.gradient_checkpointing",
                remedy="Set it to false, or choose strategy=prompt_tuning.",
            )

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        model: Any = super().apply(base, head)
        if self.init == "vocabulary":
            import torch

            embeddings: Any = base.get_input_embeddings()
            drawn = torch.randint(embeddings.num_embeddings, (self.num_virtual_tokens,))
            model.prompt_encoder[ADAPTER].load_prompt_embeddings(_as_prefix(keys_and_values(base, drawn)))
        return cast("PreTrainedModel", model)

    def peft_config(self, base: PreTrainedModel, head: Head, fresh: Mapping[str, nn.Module]) -> PrefixTuningConfig:
        from peft import PrefixTuningConfig

        shared = self.shared_config(base, head, fresh)
        _check_head(base)
        num_heads, head_size = _size_of_keys(base, shared["num_layers"])
        return PrefixTuningConfig(**{**shared, "num_attention_heads": num_heads, "token_dim": num_heads * head_size})


def keys_and_values(base: PreTrainedModel, token_ids: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What each layer computes of a text [tokens] that stands alone: keys and values [heads, tokens, size].

    Empty for a model that looks at no cache.
    """
    import torch
    from transformers import DynamicCache

    cache = DynamicCache()
    body = getattr(base, base.base_model_prefix)
    ids = token_ids.unsqueeze(0).to(base.device)
    with torch.no_grad():
        body(input_ids=ids, attention_mask=torch.ones_like(ids), **with_cache(body.forward, cache), use_cache=False)
    layers: list[Any] = cache.layers
    return [(layer.keys[0], layer.values[0]) for layer in layers if getattr(layer, "keys", None) is not None]


def _size_of_keys(base: PreTrainedModel, num_layers: int) -> tuple[int, int]:
    """Heads and size of the keys and values, which must be the same in all layers; else ConfigError."""
    import torch

    try:
        found = keys_and_values(base, torch.ones(1, dtype=torch.long))
    except (TypeError, IndexError):  # no such argument, or layers that keep something else than keys and values
        found = []
    shapes = {tensor.shape for pair in found for tensor in pair}
    if len(found) != num_layers or len(shapes) != 1:
        raise ConfigError(
            f"the layers of {type(base).__name__} take no keys and values of one size from before the input",
            where="strategy",
            remedy="Choose strategy=prompt_tuning or lora for this model.",
        )
    num_heads, _, head_size = shapes.pop()
    return num_heads, head_size


def _check_head(base: PreTrainedModel) -> None:
    """Refuse a head that PEFT would rebuild wrongly: it calls the body itself, then `dropout` and one last layer."""
    if cache_argument(base.forward) is not None:
        return
    parts = {name for name, _ in base.named_children()} - {base.base_model_prefix}
    if not parts <= {"dropout", "classifier", "score"}:
        raise ConfigError(
            f"the head of {type(base).__name__} ({', '.join(sorted(parts))}) is not one that PEFT puts behind a prefix",
            where="strategy",
            remedy="Choose strategy=prompt_tuning or lora for this model.",
        )


def _as_prefix(layers: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Keys and values as PEFT holds them: [tokens, layers x 2 x heads x size], float32."""
    import torch

    stacked = torch.stack([tensor for pair in layers for tensor in pair])  # [layers x 2, heads, tokens, size]
    return stacked.permute(2, 0, 1, 3).flatten(1).float()
