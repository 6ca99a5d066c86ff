"""A backbone whose linear layers are held in 4 bits (arXiv 2305.14314), through transformers and bitsandbytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig


def quantised_arguments(
    config: PreTrainedConfig, auto_class: Any, dtype: torch.dtype, device: torch.device
) -> dict[str, Any]:
    """What `from_pretrained` is given for a 4-bit NormalFloat backbone whose layers compute in `dtype`.

    The constants of the quantisation are quantised too. A head and a pooler train, so they stay as they are; and so
    does a language model's output layer, which errors would reach undamped.
    """
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=_kept_modules(config, auto_class),  # of 4 bits too, whatever it is called
    )
    return {"quantization_config": settings, "device_map": {"": device}}


def _kept_modules(config: PreTrainedConfig, auto_class: Any) -> list[str]:
    """Names of all that stands outside of the backbone, and a pattern for a pooler in it."""
    import torch

    with torch.device("meta"):
        skeleton = auto_class.from_config(config)
    return [*(name for name, _ in skeleton.named_children() if name != skeleton.base_model_prefix), r".*\.pooler"]
