"""The two texts of a pair told apart for models that have a word for it (BERT's segments), as their tokenizers do."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def tell_segments(model: PreTrainedModel, separator: int) -> None:
    """Have the model see which text a token belongs to, for whoever calls it with token ids alone.

    A hook on the backbone gives it `token_type_ids`: 1 after the first separator. Batches need not carry them then, nor
    anybody who runs the model on its own know of them. Nothing happens to models without segments.
    """
    body = model.base_model
    takes_segments = "token_type_ids" in inspect.signature(body.forward).parameters
    if takes_segments and getattr(model.config, "type_vocab_size", 0) > 1:
        body.register_forward_pre_hook(partial(_with_segments, separator), with_kwargs=True)


def _with_segments(
    separator: int, _module: torch.nn.Module, args: tuple[Any, ...], settings: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    input_ids = args[0] if args else settings.get("input_ids")
    if input_ids is None or len(args) > 2 or settings.get("token_type_ids") is not None:
        return None
    is_separator = (input_ids == separator).long()
    return args, {**settings, "token_type_ids": (is_separator.cumsum(dim=1) > is_separator).long()}
