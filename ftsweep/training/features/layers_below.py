"""The layers below the lowest one that trains: run once for every example, and looked up from then on.

The model stays whole. While the token ids of a call are addresses of a table (see `ftsweep.training.features.table`),
its first layers pass on what the table has for them; with real token ids (answers, general text) they run as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import embedding

from ftsweep.data.prepared import PreparedSet
from ftsweep.evaluation.batch import Batch
from ftsweep.evaluation.evaluate import Evaluator, autocast
from ftsweep.strategies.top_layers import transformer_layers
from ftsweep.strategies.trained_part import backbone
from ftsweep.training.features.table import FIRST_ADDRESS, SPLITS, input_batch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NUM_CHECKED = 4  # examples by which it is found out whether looking up changes answers
_TOLERANCE = 1e-4  # of the largest hidden state
_TOLERANCE_BFLOAT16 = 2e-2


@dataclass
class Lookup:
    """What is looked up: `rows` [addresses, hidden] and `tokens` [addresses], the first of which is padding."""

    rows: torch.Tensor
    tokens: torch.Tensor
    num_layers: int
    addresses: torch.Tensor | None = None
    """Of the call under way, [rows, length]; None while it is one of real tokens."""

    def enter(self, _model: nn.Module, args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """A hook before the model: put real token ids in the place of addresses, for whoever looks at them."""
        self.addresses = None
        ids = args[0] if args else settings.get("input_ids")
        if ids is None or not ids.numel() or int(ids[0, 0]) < FIRST_ADDRESS:
            return None
        self.addresses = ids - FIRST_ADDRESS
        real = self.tokens[self.addresses]
        return ((real, *args[1:]), settings) if args else (args, {**settings, "input_ids": real})

    def leave(self, *_given: Any) -> None:
        """A hook behind the model."""
        self.addresses = None


class LookedUp(nn.Module):
    """Stands in the place of a layer and runs it, or gives what the table has in its stead."""

    def __init__(self, layer: nn.Module, lookup: Lookup, *, others: tuple[None, ...] | None) -> None:
        """`others`: what stands behind the hidden states where the layer answers with a tuple (attention weights)."""
        super().__init__()
        # not as a submodule: what is not here cannot be trained, moved or saved by mistake
        self.__dict__.update(layer=layer, lookup=lookup, others=others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["layer"], name)  # models ask a layer for its kind of attention

    def forward(self, hidden: torch.Tensor, *args: Any, **settings: Any) -> Any:
        lookup: Lookup = self.__dict__["lookup"]
        if lookup.addresses is None:
            return self.__dict__["layer"](hidden, *args, **settings)
        found = embedding(lookup.addresses, lookup.rows)
        others: tuple[None, ...] | None = self.__dict__["others"]
        return found if others is None else (found, *others)


def look_up_layers(model: PreTrainedModel, prepared: PreparedSet, rows: torch.Tensor, num_layers: int) -> None:
    """Have the model's first layers looked up; `put_back_layers` undoes it. `rows` as `cached_layers` gives them."""
    pad = model.config.get_text_config().pad_token_id or 0
    ids = [split.input_ids(index) for split in map(prepared.split, SPLITS) for index in range(len(split))]
    tokens = torch.from_numpy(np.concatenate([[pad], *ids]).astype(np.int64))
    _replace(model, Lookup(rows, tokens.to(rows.device), num_layers))


def put_back_layers(model: PreTrainedModel) -> None:
    """Undo `look_up_layers`, if it was done."""
    found = model.__dict__.pop("looked_up", None)
    if found is None:
        return
    layers, kept, handles = found
    for index, layer in enumerate(kept):
        layers[index] = layer
    for handle in handles:
        handle.remove()


def _replace(model: PreTrainedModel, lookup: Lookup) -> None:
    layers = transformer_layers(model)
    kept = [layers[index] for index in range(lookup.num_layers)]
    others = _other_outputs(model, kept[-1])
    for index, layer in enumerate(kept):
        layers[index] = LookedUp(layer, lookup, others=others)
    handles = [
        model.register_forward_pre_hook(lookup.enter, with_kwargs=True, prepend=True),
        model.register_forward_hook(lookup.leave, always_call=True),
    ]
    model.__dict__["looked_up"] = (layers, kept, handles)


class _Reached(Exception):  # noqa: N818 - nothing is wrong
    """The layer has answered; what comes after it need not run."""


@torch.no_grad()
def _output_of(model: PreTrainedModel, layer: nn.Module, inputs: Batch) -> Any:
    caught: list[Any] = []

    def reach(_layer: nn.Module, _given: Any, output: Any) -> None:
        caught.append(output)
        raise _Reached

    handle = layer.register_forward_hook(reach)
    try:
        backbone(model)(**inputs)
    except _Reached:
        pass
    finally:
        handle.remove()
    return caught[0]


def _other_outputs(model: PreTrainedModel, layer: nn.Module) -> tuple[None, ...] | None:
    """Nothing in the place of each other output of a layer that answers with a tuple."""
    ids = torch.ones(1, 2, dtype=torch.long, device=model.device)
    output = _output_of(model, layer, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    return (None,) * (len(output) - 1) if isinstance(output, tuple) else None


def tokens_below(model: PreTrainedModel, batch: Batch, evaluator: Evaluator, num_layers: int) -> torch.Tensor:
    """What the last of the first layers says of every token of these examples, in turn. [tokens, hidden]"""
    with autocast(evaluator.device, evaluator.autocast_dtype):
        output = _output_of(model, transformer_layers(model)[num_layers - 1], batch)
    hidden: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return hidden[batch["attention_mask"].bool()]


@torch.no_grad()
def sample_below(
    model: PreTrainedModel, prepared: PreparedSet, evaluator: Evaluator, num_layers: int
) -> torch.Tensor | None:
    """A sample of the table; None where the model's last hidden states change when they rest on it."""
    split = prepared.split("train")
    by_length = np.argsort(split.lengths, kind="stable")
    chosen = by_length[np.linspace(0, len(split) - 1, min(_NUM_CHECKED, len(split))).astype(np.int64)]
    batch = input_batch(split, chosen, evaluator)
    mask = batch["attention_mask"].bool()
    rows = tokens_below(model, batch, evaluator, num_layers)
    table = torch.cat([torch.zeros_like(rows[:1]), rows])
    tokens = torch.cat([batch["input_ids"].new_zeros(1), batch["input_ids"][mask]])
    addresses = torch.full_like(batch["input_ids"], FIRST_ADDRESS)
    addresses[mask] += torch.arange(1, 1 + len(rows), device=mask.device)
    last = transformer_layers(model)[-1]
    with autocast(evaluator.device, evaluator.autocast_dtype):
        expected = _output_of(model, last, batch)
        lookup = Lookup(table, tokens, num_layers)
        _replace(model, lookup)
        try:
            lookup.addresses = addresses - FIRST_ADDRESS
            found = _output_of(model, last, batch)
        finally:
            put_back_layers(model)
    given, wanted = ((each[0] if isinstance(each, tuple) else each)[mask].float() for each in (found, expected))
    tolerance = _TOLERANCE_BFLOAT16 if rows.dtype == torch.bfloat16 else _TOLERANCE
    return rows if bool((given - wanted).abs().max() <= tolerance * wanted.abs().max()) else None
