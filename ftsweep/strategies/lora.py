"""Low-rank adapters (LoRA, rank-stabilised LoRA, DoRA, PiSSA) through PEFT."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ftsweep.errors import ConfigError
from ftsweep.strategies import pissa
from ftsweep.strategies.adapters import (
    ADAPTER,
    PeftStrategy,
    checked_names,
    linear_layers,
    lora_layers,
    matching_layers,
    other_modules,
    stores_transposed,
    task_type,
)
from ftsweep.strategies.base import fresh_modules

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from ftsweep.config.schema import TrainingSettings
    from ftsweep.models.base import Head
    from ftsweep.strategies.distance import Distance
    from ftsweep.tasks.base import Task

ALL_LINEAR = "all-linear"
INITS = ("default", "pissa")
_BYPASSED = "out_proj"
"""The layer whose weight the kernels of these architectures take for themselves, past any adapter on it."""
_WITH_BYPASS = frozenset({"falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h"})


class Lora(PeftStrategy):
    """Adapters of one rank on the model's linear layers train, and a new head in full; the base stays as it is."""

    merges: ClassVar[bool] = True

    def __init__(
        self,
        *,
        rank: int = 8,
        alpha: float | None = None,
        dropout: float = 0.0,
        targets: Literal["all-linear"] | Sequence[str] = ALL_LINEAR,
        rslora: bool = False,
        dora: bool = False,
        init: Literal["default", "pissa"] = "default",
    ) -> None:
        """`alpha` null is twice the rank. `targets` are names of linear layers as their last part or in full.

        `init` pissa starts from the principal directions of each layer's weights and trains these (arXiv 2404.02948).
        """
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise ConfigError(f"must be a whole number of at least 1, not {rank!r}", where="strategy.rank")
        if alpha is not None and not alpha > 0:
            raise ConfigError(f"must be above 0, not {alpha!r}", where="strategy.alpha")
        if not 0 <= dropout < 1:
            raise ConfigError(f"must be at least 0 and below 1, not {dropout!r}", where="strategy.dropout")
        if init not in INITS:
            raise ConfigError(f"must be one of {', '.join(INITS)}, not {init!r}", where="strategy.init")
        if init == "pissa" and dora:
            raise ConfigError(
                "pissa starts from the base's own directions, which DoRA scales away",
                where="strategy.init",
                remedy="Choose one of the two: strategy.init=default or strategy.dora=false.",
            )
        self.rank = rank
        self.alpha = 2 * rank if alpha is None else alpha
        self.dropout = dropout
        is_all = isinstance(targets, str) and targets == ALL_LINEAR
        self.targets = ALL_LINEAR if is_all else checked_names(targets, where="strategy.targets", instead=ALL_LINEAR)
        self.rslora = rslora
        self.dora = dora
        self.init = init
        self.names_layers = not is_all
        self.is_scalable = not dora  # its magnitudes are no part of the scaled product
        self.starts_as_base = not dora and init == "default"  # the others do but for rounding

    def check_training(self, task: Task, training: TrainingSettings) -> None:
        super().check_training(task, training)
        if training.l2_sp > 0 and self.dora:
            raise ConfigError(
                "DoRA rescales whole weights: their distance from the base is no product of its two factors",
                where="training.l2_sp",
                remedy="Leave it 0, or set strategy.dora=false.",
            )

    def check_base(self, base: PreTrainedModel, head: Head) -> None:
        self._target_names(base, linear_layers(base, fresh_modules(base, head)))

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        model = super().apply(base, head)
        if self.init == "pissa":
            for layer in lora_layers(model).values():
                pissa.start(layer)
        return model

    def merged(self, model: PreTrainedModel) -> PreTrainedModel:
        if self.init == "pissa":
            for layer in lora_layers(model).values():
                pissa.take_start_out(layer)
        return super().merged(model)

    def rescale(self, model: PreTrainedModel, head: Head, scale: float, start: Mapping[str, Tensor]) -> None:
        from ftsweep.strategies.rescale import rescale_lora

        rescale_lora(model, scale)

    def measuring(self, model: PreTrainedModel, autocast: torch.dtype | None = None) -> AbstractContextManager[None]:
        from ftsweep.strategies.lean import cast_together, lean_among, merged_for_measuring

        layers = lean_among(lora_layers(model))
        return merged_for_measuring(layers) if autocast is None else cast_together(layers, autocast, has_gradient=False)

    def training_pass(
        self, model: PreTrainedModel, autocast: torch.dtype | None
    ) -> Callable[[], AbstractContextManager[None]]:
        from ftsweep.strategies.lean import cast_together, lean_among

        return nullcontext if autocast is None else partial(cast_together, lean_among(lora_layers(model)), autocast)

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        if self.init == "pissa":
            pissa.save(model, folder)
        else:
            super().save(model, folder)

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        if self.init == "pissa":
            pissa.restore(model, folder)
        else:
            super().restore(model, folder)

    def distances(self, model: PreTrainedModel, head: Head) -> list[Distance]:
        return [_distance_of(layer) for layer in lora_layers(model).values()]

    def peft_config(self, base: PreTrainedModel, head: Head, fresh: Mapping[str, nn.Module]) -> LoraConfig:
        from peft import LoraConfig
        from torch import nn

        from ftsweep.strategies.lean import LeanLinear

        linear = linear_layers(base, fresh)
        names = self._target_names(base, linear)
        config = LoraConfig(
            task_type=task_type(head),
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # PEFT divides it by the rank
            lora_dropout=self.dropout,
            target_modules=names,
            modules_to_save=other_modules(fresh),
            use_rslora=self.rslora,
            use_dora=self.dora,
            fan_in_fan_out=stores_transposed([linear[name] for name in names]),
        )
        if not self.dora and all(
            type(linear[name]) is nn.Linear for name in names
        ):  # no subclass: of what is quantised
            config._register_custom_module({nn.Linear: LeanLinear})
        return config

    def _target_names(self, base: PreTrainedModel, linear: Mapping[str, nn.Module]) -> list[str]:
        """Full names of the layers that get an adapter."""
        if base.config.model_type in _WITH_BYPASS:
            linear = {name: module for name, module in linear.items() if name.rpartition(".")[2] != _BYPASSED}
        if isinstance(self.targets, str):
            return list(linear)
        return matching_layers(self.targets, linear, where="strategy.targets")


def _distance_of(layer: Any) -> Distance:
    """||scale * B A||² of a layer's adapter; with PiSSA what was there at the start is taken off."""
    from ftsweep.strategies.distance import low_rank_distance

    def distance() -> Any:
        down, up = pissa.factors(layer)
        return low_rank_distance(down, up, layer.scaling[ADAPTER])

    return distance
