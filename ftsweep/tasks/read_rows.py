"""The last layer's feed-forward part, computed for the tokens whose hidden states are read, and for no others.

A head over one token of a text, or over the tokens of an answer, never sees what the last layer makes of the rest: its
attention has taken what it needs from them before. In a model of few layers that is a good part of a step. The numbers
are those of the whole computation to rounding. On other devices than a CPU, where rows are not what a step costs, all
is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers.modeling_layers import GenericForSequenceClassification

MIN_ROWS = 32
"""So many are computed at least: the last bits of a product of fewer depend on the rows beside them."""
IS_COMPILED = "is_compiled"
"""In the `__dict__` of a body whose pass under way is compiled, where all rows are computed."""
_MOST = 0.75  # of all rows; above it, putting them together costs as much as is gained
_TOLERANCE = 1e-4  # of the largest output, when it is found out whether rows are computed apart


@contextmanager
def reading(model: Any, positions: torch.Tensor | None) -> Iterator[None]:
    """While the block lasts, the last layer's feed-forward part may leave out all but these flat positions of the
    input [rows x length], int64, ascending; None: all are read.

    `model`: transformers' own, without PEFT around it.
    """
    part = None if positions is None or positions.device.type != "cpu" else feed_forward(model)
    if part is None or positions is None or _drops(part) or _computes_all(model):
        yield
        return
    whole = part.forward

    def narrow(x: torch.Tensor) -> torch.Tensor:
        rows = rows_read(positions, x.shape[:-1].numel())
        if rows is None or not _computes_rows_apart(part, whole, x):
            return whole(x)  # type: ignore[no-any-return]
        return compute_only(whole, x, rows)

    own = part.__dict__.get("forward")
    part.__dict__["forward"], part.__dict__["positions_read"] = narrow, positions
    try:
        yield
    finally:
        del part.__dict__["forward"], part.__dict__["positions_read"]
        if own is not None:
            part.__dict__["forward"] = own


def positions_read(model: Any) -> torch.Tensor | None:
    """What is read of the call under way, as it was given to `reading`; None where all is."""
    part = feed_forward(model)
    found: torch.Tensor | None = None if part is None else part.__dict__.get("positions_read")
    return found


def feed_forward(model: Any) -> nn.Module | None:
    """That of the last layer of a decoder; None for a model that is built in another way."""
    layers = getattr(getattr(model, "base_model", None), "layers", None)
    part = getattr(layers[-1], "mlp", None) if isinstance(layers, nn.ModuleList) and len(layers) else None
    return part if isinstance(part, nn.Module) else None


def rows_read(positions: torch.Tensor | None, num_rows: int) -> torch.Tensor | None:
    """These positions of so many, and the first others where they are fewer than `MIN_ROWS`, ascending; None where
    that is nearly all.
    """
    if positions is None or max(len(positions), MIN_ROWS) > _MOST * num_rows:
        return None
    if len(positions) >= MIN_ROWS:
        return positions
    taken = torch.zeros(num_rows, dtype=torch.bool)
    taken[positions] = True
    others = (~taken[: 2 * MIN_ROWS]).nonzero().squeeze(1)[: MIN_ROWS - len(positions)]
    taken[others] = True
    return taken.nonzero().squeeze(1)


def compute_only(part: Any, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """What `part` makes of these flat rows of x [..., hidden]; zeros in all others."""
    flat = x.flatten(0, -2)
    found: torch.Tensor = part(flat.index_select(0, rows).unsqueeze(0)).squeeze(0)
    return found.new_zeros(flat.shape[0], found.shape[-1]).index_copy(0, rows, found).view(*x.shape[:-1], -1)


def last_tokens(model: Any, batch: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    """The flat position that the head of a decoder reads of each row; None for a head that is not known to read one."""
    ids = batch["input_ids"]
    if ids.device.type != "cpu" or not isinstance(model, GenericForSequenceClassification):
        return None  # a step on another device waits for no number
    if int(ids[0, 0]) >= model.config.get_text_config().vocab_size:  # type: ignore[attr-defined]
        return None  # addresses of a table, of whose tokens only the model knows
    num_rows, length = ids.shape
    pad: int | None = model.config.get_text_config().pad_token_id  # type: ignore[attr-defined]
    numbers = torch.arange(length, dtype=torch.int32, device=ids.device)
    last = torch.full((num_rows,), length - 1) if pad is None else (numbers * (ids != pad)).argmax(-1)
    return last + length * torch.arange(num_rows, device=ids.device)


def _recomputes(model: Any) -> bool:
    """Whether the last layer is computed again for the gradient. transformers would look at every module, each step."""
    body = model.base_model
    return any(getattr(each, "gradient_checkpointing", False) for each in (model, body, body.layers[-1]))


def _computes_all(model: Any) -> bool:
    """Whether the pass under way is one that nothing can be left out of."""
    return IS_COMPILED in model.base_model.__dict__ or (model.training and _recomputes(model))


def _drops(part: nn.Module) -> bool:
    """Whether dropout is drawn in it: for other rows it would be drawn anew."""
    return any(isinstance(module, nn.Dropout) and module.p > 0 and module.training for module in part.modules())


@torch.no_grad()
def _computes_rows_apart(part: nn.Module, whole: Any, x: torch.Tensor) -> bool:
    """Found out at the first call, of each mode: whether a row's output depends on that row alone, and on no draw."""
    known: dict[bool, bool] = part.__dict__.setdefault("computes_rows_apart", {})
    if part.training not in known:
        before = torch.get_rng_state()
        known[part.training] = _gives_rows_apart(whole, x) and torch.equal(before, torch.get_rng_state())
        torch.set_rng_state(before)  # a trial that goes on in another process finds it out again, and draws the same
    return known[part.training]


def _gives_rows_apart(whole: Any, x: torch.Tensor) -> bool:
    rows = torch.arange(0, x.shape[:-1].numel(), 2)
    expected = whole(x)
    if not isinstance(expected, torch.Tensor) or expected.shape[:-1] != x.shape[:-1]:
        return False
    wanted = expected.flatten(0, -2)[rows]
    found = compute_only(whole, x, rows).flatten(0, -2)[rows]
    return bool((found - wanted).abs().max() <= _TOLERANCE * wanted.abs().max())
