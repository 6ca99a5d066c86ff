"""What prompt and prefix tuning share: virtual tokens that stand before every input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ftsweep.errors import ConfigError
from ftsweep.strategies.adapters import PeftStrategy, other_modules, task_type

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head
    from ftsweep.tasks.base import Task

INITS = ("vocabulary", "random")


class VirtualTokens(PeftStrategy):
    """Learned vectors stand before every input and train, and a new head in full; the base stays as it is."""

    moves_weights: ClassVar[bool] = False

    def __init__(self, *, num_virtual_tokens: int, init: Literal["vocabulary", "random"]) -> None:
        if isinstance(num_virtual_tokens, bool) or not isinstance(num_virtual_tokens, int) or num_virtual_tokens < 1:
            raise ConfigError(
                f"must be a whole number of at least 1, not {num_virtual_tokens!r}",
                where="strategy.num_virtual_tokens",
            )
        if init not in INITS:
            raise ConfigError(f"must be one of {', '.join(INITS)}, not {init!r}", where="strategy.init")
        self.num_virtual_tokens = num_virtual_tokens
        self.init = init

    def check_task(self, task: Task) -> None:
        if task.head == "masked_lm":
            raise ConfigError(
                "PEFT puts virtual tokens before no model of masked words",
                where="strategy",
                remedy="Choose strategy=lora, ia3, top_layers or full.",
            )
        if getattr(task, "packed", False):
            raise ConfigError(
                "virtual tokens stand before an input, and a packed block holds several",
                where="task.packed",
                remedy="Set task.packed=false, or choose strategy=lora.",
            )

    def shared_config(self, base: PreTrainedModel, head: Head, fresh: Mapping[str, nn.Module]) -> dict[str, Any]:
        """PEFT's settings that both methods have."""
        from torch import nn

        if base.config.is_encoder_decoder:
            raise ConfigError(
                f"{base.config.model_type!r} is an encoder-decoder, and virtual tokens stand before one stack only",
                where="strategy",
                remedy="Choose strategy=lora for this model.",
            )
        if not isinstance(base.get_input_embeddings(), nn.Embedding):
            raise ConfigError(
                f"the embeddings of {type(base).__name__} are not of a kind that PEFT puts virtual tokens beside",
                where="strategy",
                remedy="Choose strategy=full, top_layers or head for this model.",
            )
        config = base.config.get_text_config()
        return {
            "task_type": task_type(head),
            "num_virtual_tokens": self.num_virtual_tokens,
            "modules_to_save": other_modules(fresh),
            # PEFT looks for these under a few names only; the configuration has them under all of its own.
            "token_dim": config.hidden_size,
            "num_layers": config.num_hidden_layers,
            "num_attention_heads": getattr(config, "num_attention_heads", 1),  # Mamba has none, and needs none said
            "num_transformer_submodules": 1,
        }
