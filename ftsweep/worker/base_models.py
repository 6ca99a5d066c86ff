"""Base weights, loaded once per worker and lent to trials, one after another or at once, always as they were."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from ftsweep.models.base import ModelSource
from ftsweep.models.device import release_memory
from ftsweep.models.lean_norm import lean_norms
from ftsweep.models.loading import resolve_dtype
from ftsweep.strategies.base import Strategy
from ftsweep.tasks.base import Task
from ftsweep.training.features.layers_below import put_back_layers
from ftsweep.training.features.table import put_back_body
from ftsweep.training.lanes.conductor import Conductor
from ftsweep.training.lanes.twin import twin

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_MAX_SHARE = 0.25  # of the device's memory for bases that wait for another trial


@dataclass
class BaseModel:
    """One base with its head on the device. `pristine` holds its weights on the CPU once a trial may change them."""

    key: str
    """Equal for bases that are the same."""
    model: PreTrainedModel
    pristine: dict[str, torch.Tensor] | None = None
    is_lent: bool = False
    twin_of: BaseModel | None = None
    """The base whose tensors it holds in modules of its own; None where they are its own, too."""
    num_twins: int = 0
    conductor: Conductor | None = field(default=None, repr=False)
    """Where the trials on its twins share passes."""

    @property
    def num_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self.model.state_dict().values())


@dataclass
class BaseModels:
    """The bases of one worker, and the tokenizers. Trials that are under way at once have a base each."""

    device: torch.device
    memory_bytes: int
    _bases: list[BaseModel] = field(default_factory=list)  # the one used last at the end
    _tokenizers: dict[str, PreTrainedTokenizerBase] = field(default_factory=dict)

    def tokenizer(self, source: ModelSource) -> PreTrainedTokenizerBase:
        key = source.fingerprint()
        if key not in self._tokenizers:
            self._tokenizers[key] = source.tokenizer()
        return self._tokenizers[key]

    def lend(
        self, source: ModelSource, task: Task, strategy: Strategy, schema: Mapping[str, Any], *, precision: str
    ) -> BaseModel:
        """As `look_at`, for a trial that will change it: nobody else gets it before `put_back` or `forget`."""
        base = self.look_at(source, task, strategy, schema, precision=precision, with_twins=False)
        base.is_lent = True
        return base

    def lend_twin(
        self, source: ModelSource, task: Task, strategy: Strategy, schema: Mapping[str, Any], *, precision: str
    ) -> BaseModel:
        """As `lend`, for a strategy that writes into no weight of the base: its tensors are lent to others as well."""
        root = self.look_at(source, task, strategy, schema, precision=precision)
        root.model.requires_grad_(False)
        root.num_twins += 1
        return BaseModel(root.key, twin(root.model), is_lent=True, twin_of=root)

    def look_at(
        self,
        source: ModelSource,
        task: Task,
        strategy: Strategy,
        schema: Mapping[str, Any],
        *,
        precision: str,
        with_twins: bool = True,
    ) -> BaseModel:
        """An untouched base for this trial, loaded if need be; `with_twins` false: one whose tensors nobody else has.

        Weights that will train, and all weights of a float32 trial, are held in float32 unless `model.dtype` says
        otherwise; frozen ones in the device's usual type.
        """
        dtype = self.dtype_of(source, strategy, precision=precision)
        head, labels = strategy.head_for(task), schema.get("labels")
        key = _key(source.fingerprint(), head, labels, str(dtype), strategy.quantisation)
        fitting = (each for each in self._bases if each.key == key and not each.is_lent)
        base = next((each for each in fitting if with_twins or not each.num_twins), None)
        if base is None:
            self._make_room()
            quantisation = strategy.quantisation
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # a head that is drawn is measured, too: the same one whatever was done before
                model = source.load(head, labels=labels, dtype=dtype, device=self.device, quantisation=quantisation)
            lean_norms(model)
            base = BaseModel(key, model)
        else:
            self._bases.remove(base)
        self._bases.append(base)
        if task.problem_type is not None:
            base.model.config.problem_type = task.problem_type
        if strategy.changes_base and base.pristine is None:
            base.pristine = {
                name: tensor.detach().to("cpu", copy=True) for name, tensor in base.model.state_dict().items()
            }
        return base

    def dtype_of(self, source: ModelSource, strategy: Strategy, *, precision: str) -> torch.dtype:
        """The type in which `look_at` holds the weights."""
        needs_float32 = strategy.changes_base or precision == "float32"
        if source.dtype == "auto" and needs_float32:
            return torch.float32
        return resolve_dtype(source.dtype, self.device)

    @torch.no_grad()
    def put_back(self, base: BaseModel, strategy: Strategy, model: PreTrainedModel) -> None:
        """Undo what a trial did to the base: adapters off, changed weights restored, gradients gone."""
        if base.twin_of is not None:  # its modules go, and nothing was written into its tensors
            base.twin_of.num_twins -= 1
            return
        put_back_body(model)
        put_back_layers(model)
        base.model = strategy.remove(model)
        if strategy.changes_base and base.pristine is not None:
            for name, tensor in base.model.state_dict().items():
                tensor.copy_(base.pristine[name])
        for parameter in base.model.parameters():
            parameter.grad = None
        base.model.eval()
        base.is_lent = False

    def forget(self, base: BaseModel) -> None:
        """Give up a base whose weights are no longer its own; the next collection finds it."""
        if base.twin_of is not None:
            base.twin_of.num_twins -= 1
            base = base.twin_of
        self._bases = [each for each in self._bases if each is not base]
        gc.unfreeze()  # the engine froze what stays between trials, and this was part of it

    def _make_room(self) -> None:
        """Give up those that wait, the one not used for longest first."""
        while True:
            idle = [each for each in self._bases if not each.is_lent and not each.num_twins]
            if sum(base.num_bytes for base in idle) <= _MAX_SHARE * self.memory_bytes:
                return
            self.forget(idle.pop(0))
            release_memory(self.device)


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
