"""What a frozen body says of every example, computed once; trials of a head then train on tables instead of the body.

While it trains, a look-up stands in the body's place: the "token ids" of an example are the addresses of its rows in
the table. Batches, losses and metrics are made by the same code as ever, and in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ftsweep.data.encoded import EncodedSplit, SplitView
from ftsweep.data.prepared import PreparedSet
from ftsweep.evaluation.batch import Batch, collate, to_device
from ftsweep.evaluation.evaluate import Evaluator, autocast
from ftsweep.strategies.trained_part import backbone

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Position = Literal["first", "last", "all"]
"""Which hidden states a head reads: of the first token, of the last one that is not padding, or of all."""

FIRST_ADDRESS = 1 << 40
"""Address of the table's first row, which is zero and serves as padding; no vocabulary has a token of this number."""
SPLITS = ("train", "validation")
_MORE_PER_BATCH = 32  # an evaluation on one row per example costs that much less than one on all its tokens


@dataclass(frozen=True)
class Features:
    """Hidden states of a prepared set's train and validation examples. `rows` is [1 + positions, hidden]."""

    position: Position
    rows: torch.Tensor

    @property
    def num_bytes(self) -> int:
        return self.rows.numel() * self.rows.element_size()


class CachedBody(nn.Module):
    """A look-up in the place of a body, under whose name its own pooler stays, since it may train."""

    body: nn.Module
    rows: torch.Tensor

    def __init__(self, body: nn.Module, rows: torch.Tensor) -> None:
        super().__init__()
        self.pooler = getattr(body, "pooler", None)
        # not as submodule and buffer: what is not here cannot be trained, moved or saved by mistake
        self.__dict__.update(body=body, rows=rows)

    def forward(self, input_ids: torch.Tensor, *_arguments: Any, **_settings: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPoolingAndCrossAttentions

        hidden = functional.embedding(input_ids - FIRST_ADDRESS, self.rows)
        pooled = None if self.pooler is None else self.pooler(hidden)
        return BaseModelOutputWithPoolingAndCrossAttentions(last_hidden_state=hidden, pooler_output=pooled)


def replace_body(model: PreTrainedModel, features: Features) -> None:
    """Have the model look its hidden states up; `put_back_body` undoes it."""
    setattr(model, model.base_model_prefix, CachedBody(backbone(model), features.rows))


def put_back_body(model: PreTrainedModel) -> None:
    """Undo `replace_body`, if it was done."""
    body = backbone(model)
    if isinstance(body, CachedBody):
        setattr(model, model.base_model_prefix, body.body)


def feature_evaluator(evaluator: Evaluator, features: Features) -> Evaluator:
    """The evaluator of a model whose body is replaced."""
    factor = 1 if features.position == "all" else _MORE_PER_BATCH
    return replace(evaluator, pad_token_id=FIRST_ADDRESS, tokens_per_batch=factor * evaluator.tokens_per_batch)


class FeatureSplit(SplitView):
    """A split's examples with addresses in place of token ids. `lengths` stay those of the text: they order batches."""

    def __init__(self, split: EncodedSplit, position: Position, first: int) -> None:
        super().__init__(split)
        self._sizes = split.lengths if position == "all" else np.ones(len(split), np.int64)
        self._starts = FIRST_ADDRESS + first + np.cumsum(self._sizes, dtype=np.int64) - self._sizes

    def input_ids(self, index: int) -> np.ndarray:
        """The example's addresses. Shape [length], or [1] where the head reads a single position."""
        start = self._starts[index]
        return np.arange(start, start + self._sizes[index])


class FeatureSet(PreparedSet):
    """A prepared set whose train and validation examples are addressed in `features`."""

    def __init__(self, prepared: PreparedSet, position: Position) -> None:
        super().__init__(prepared.folder, prepared.meta)
        first = 1
        for name in SPLITS:
            split = prepared.split(name)
            self._splits[name] = FeatureSplit(split, position, first)
            first += num_positions(split, position)


def num_positions(split: EncodedSplit, position: Position) -> int:
    """How many rows of the table a split has."""
    return int(split.lengths.sum()) if position == "all" else len(split)


def compute_features(
    prepared: PreparedSet, evaluator: Evaluator, position: Position, look: Callable[[Batch], torch.Tensor]
) -> torch.Tensor:
    """The table's rows on the CPU. `look` gives the hidden states of a batch at these positions, as `pick` does."""
    addressed = FeatureSet(prepared, position)
    total = 1 + sum(num_positions(prepared.split(name), position) for name in SPLITS)

    def compute() -> torch.Tensor:
        rows: torch.Tensor | None = None
        for name in SPLITS:
            split = prepared.split(name)
            for chosen in evaluator.batches(split.lengths, None):
                batch = input_batch(split, chosen, evaluator)
                found = look(batch).cpu()
                if rows is None:
                    rows = torch.zeros(total, found.shape[-1], dtype=found.dtype)
                addresses = np.concatenate([addressed.split(name).input_ids(int(index)) for index in chosen])
                rows[torch.from_numpy(addresses - FIRST_ADDRESS)] = found
        assert rows is not None, "a prepared set has examples"
        return rows

    return evaluator.in_batches_that_fit(compute)


@torch.no_grad()
def hidden_states(
    model: PreTrainedModel, batch: Mapping[str, torch.Tensor], evaluator: Evaluator
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the body gives to the head, [rows, length, hidden], and the model's logits."""
    caught: list[Any] = []
    handle = backbone(model).register_forward_hook(lambda _module, _arguments, output: caught.append(output))
    try:
        with autocast(evaluator.device, evaluator.autocast_dtype):
            logits = model(**batch).logits
    finally:
        handle.remove()
    return caught[0][0], logits


def input_batch(split: EncodedSplit, chosen: np.ndarray, evaluator: Evaluator) -> Batch:
    """The task's input of these examples, on the device."""
    batch = collate(split, chosen, evaluator.task, pad_token_id=evaluator.pad_token_id)
    return to_device({name: batch[name] for name in ("input_ids", "attention_mask")}, evaluator.device)


def pick(hidden: torch.Tensor, batch: Batch, position: Position, model: PreTrainedModel) -> torch.Tensor:
    """The hidden states at these positions, example after example. Shape [positions, hidden]."""
    if position == "all":
        return hidden[batch["attention_mask"].bool()]
    if position == "first":
        return hidden[:, 0]
    # As transformers finds the last token: the rightmost that is not the padding token, attended to or not.
    is_token = batch["input_ids"] != model.config.get_text_config().pad_token_id
    places = torch.arange(hidden.shape[1], device=hidden.device)
    return hidden[torch.arange(len(hidden), device=hidden.device), (places * is_token).argmax(dim=1)]
