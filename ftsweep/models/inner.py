"""What lies inside of PEFT's wrapper of a model."""

from __future__ import annotations

from typing import Any


def transformers_model(model: Any) -> Any:
    """The transformers model itself, inside of PEFT's wrapper when there is one."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def num_virtual_tokens(model: Any) -> int:
    """How many virtual tokens PEFT's wrapper puts before every input (prompt and prefix tuning)."""
    config = model.active_peft_config if hasattr(model, "get_base_model") else None
    return int(config.num_virtual_tokens) if config is not None and config.is_prompt_learning else 0
