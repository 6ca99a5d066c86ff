"""Base weights, loaded once per worker and handed to one trial after another, always as they were."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from ftsweep.models.base import ModelSource
from ftsweep.models.device import release_memory
from ftsweep.models.loading import resolve_dtype
from ftsweep.strategies.base import Strategy
from ftsweep.tasks.base import Task
from ftsweep.training.features.table import put_back_body

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_MAX_SHARE = 0.25  # of the device's memory for bases that wait for another trial


@dataclass
class BaseModel:
    """One base with its head on the device. `pristine` holds its weights on the CPU once a trial may change them."""

    model: PreTrainedModel
    pristine: dict[str, torch.Tensor] | None = None

    @property
    def num_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self.model.state_dict().values())


@dataclass
class BaseModels:
    """The bases of one worker, and the tokenizers."""

    device: torch.device
    memory_bytes: int
    _bases: OrderedDict[str, BaseModel] = field(default_factory=OrderedDict)
    _tokenizers: dict[str, PreTrainedTokenizerBase] = field(default_factory=dict)

    def tokenizer(self, source: ModelSource) -> PreTrainedTokenizerBase:
        key = source.fingerprint()
        if key not in self._tokenizers:
            self._tokenizers[key] = source.tokenizer()
        return self._tokenizers[key]

    def take(
        self, source: ModelSource, task: Task, strategy: Strategy, schema: Mapping[str, Any], *, precision: str
    ) -> BaseModel:
        """The base for this trial, loaded if need be.

        Weights that will train, and all weights of a float32 trial, are held in float32 unless `model.dtype` says
        otherwise; frozen ones in the device's usual type.
        """
        needs_float32 = strategy.changes_base or precision == "float32"
        is_free = source.dtype == "auto"
        dtype = torch.float32 if is_free and needs_float32 else resolve_dtype(source.dtype, self.device)
        head, labels = strategy.head_for(task), schema.get("labels")
        key = _key(source.fingerprint(), head, labels, str(dtype), strategy.quantisation)
        base = self._bases.get(key)
        if base is None:
            self._make_room()
            quantisation = strategy.quantisation
            model = source.load(head, labels=labels, dtype=dtype, device=self.device, quantisation=quantisation)
            base = BaseModel(model)
            self._bases[key] = base
        if task.problem_type is not None:
            base.model.config.problem_type = task.problem_type
        self._bases.move_to_end(key)
        if strategy.changes_base and base.pristine is None:
            base.pristine = {
                name: tensor.detach().to("cpu", copy=True) for name, tensor in base.model.state_dict().items()
            }
        return base

    @torch.no_grad()
    def put_back(self, base: BaseModel, strategy: Strategy, model: PreTrainedModel) -> None:
        """Undo what a trial did to the base: adapters off, changed weights restored, gradients gone."""
        put_back_body(model)
        base.model = strategy.remove(model)
        if strategy.changes_base and base.pristine is not None:
            for name, tensor in base.model.state_dict().items():
                tensor.copy_(base.pristine[name])
        for parameter in base.model.parameters():
            parameter.grad = None
        base.model.eval()

    def forget(self, base: BaseModel) -> None:
        """Give up a base whose weights are no longer its own."""
        self._bases = OrderedDict((key, kept) for key, kept in self._bases.items() if kept is not base)

    def _make_room(self) -> None:
        while self._bases and sum(base.num_bytes for base in self._bases.values()) > _MAX_SHARE * self.memory_bytes:
            self._bases.popitem(last=False)
            release_memory(self.device)


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
