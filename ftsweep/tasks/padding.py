"""When a model need not be told which tokens are padding.

Rows are padded on the right, and nobody reads what a model says of padding. Where attention looks to the left only,
nothing that is read ever sees it. Then the mask is left out: attention takes its quickest way, and transformers does
not look at the mask's numbers, for which the host would wait on a GPU at every pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import torch
from transformers import masking_utils

from ftsweep.models.inner import num_virtual_tokens, transformers_model

_has_packed_rows = ContextVar("has_packed_rows", default=True)


@contextmanager
def needed_mask(model: Any, mask: torch.Tensor | None) -> Iterator[torch.Tensor | None]:
    """What to call `model` with in the block: `mask` [rows, length], of a batch that is padded on the right, or None.

    `model`: transformers' own, or in PEFT's wrapper.
    """
    if mask is None or num_virtual_tokens(model) or not looks_left(transformers_model(model)):
        yield mask
        return
    with without_packed_rows():
        yield None


@contextmanager
def without_packed_rows() -> Iterator[None]:
    """In the block, and in this thread, transformers takes rows that come without a mask for one text each.

    Else it looks for several in a row, and waits for the device to know.
    """
    token = _has_packed_rows.set(False)
    try:
        yield
    finally:
        _has_packed_rows.reset(token)


def _only_where_rows_may_be_packed(find: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(find)
    def found(*args: Any, **settings: Any) -> Any:
        return find(*args, **settings) if _has_packed_rows.get() else None

    return found


def looks_left(model: Any) -> bool:
    """Whether each attention of transformers' model says that it is causal, and there is one.

    It is remembered where the attention is, in the body: a strategy may put another one in its place for a while.
    """
    if not isinstance(model, torch.nn.Module):
        return False
    body: Any = getattr(model, "base_model", model)
    known: bool | None = body.__dict__.get("looks_left")
    if known is None:
        said = [bool(module.is_causal) for module in body.modules() if hasattr(module, "is_causal")]
        known = body.__dict__["looks_left"] = bool(said) and all(said)
    return known


if (_find := getattr(masking_utils, "find_packed_sequence_indices", None)) is not None:  # looked up at every call
    masking_utils.find_packed_sequence_indices = _only_where_rows_may_be_packed(_find)
