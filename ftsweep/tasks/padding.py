"""When a model need not be told which tokens are padding.

Rows are padded on the right, and nobody reads what a model says of padding. Where attention looks to the left only,
nothing that is read ever sees it. Then the mask is left out: attention takes its quickest way, and transformers does
not look at the mask's numbers, for which the host would wait on a GPU at every pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch
from transformers import masking_utils

from ftsweep.models.inner import num_virtual_tokens, transformers_model

_FINDS_PACKING = "find_packed_sequence_indices"


@contextmanager
def needed_mask(model: Any, mask: torch.Tensor | None) -> Iterator[torch.Tensor | None]:
    """What to call `model` with in the block: `mask` [rows, length], of a batch that is padded on the right, or None.

    `model`: transformers' own, or in PEFT's wrapper.
    """
    if mask is None or num_virtual_tokens(model) or not looks_left(transformers_model(model)):
        yield mask
        return
    with without_packed_rows:
        yield None


def _finds_none(position_ids: torch.Tensor) -> None:
    """In the place of what looks for packed rows."""


class _WithoutPackedRows:
    """In its block transformers takes rows that come without a mask for one text each.

    Else it looks for several in a row, and waits for the device to know. Threads may be in it at once: the last one to
    leave puts back what looks.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._num_inside = 0
        self._finds: Callable[..., Any] | None = getattr(masking_utils, _FINDS_PACKING, None)

    def __enter__(self) -> None:
        with self._lock:
            self._num_inside += 1
            self._put(_finds_none)

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._num_inside -= 1
            if not self._num_inside:
                self._put(self._finds)

    def _put(self, finds: Callable[..., Any] | None) -> None:
        if self._finds is not None:
            setattr(masking_utils, _FINDS_PACKING, finds)


without_packed_rows = _WithoutPackedRows()


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
