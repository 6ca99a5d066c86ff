"""The linear probe: a new head trains on the features of a body that stays as it is."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ftsweep.errors import ConfigError
from ftsweep.strategies.base import Strategy, end_checkpointing, redraw_fresh_modules
from ftsweep.strategies.trained_part import (
    check_has_head,
    head_modules,
    restore_trained,
    save_trained,
    train_in_float32,
    train_what_trains,
)

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from ftsweep.config.schema import TrainingSettings
    from ftsweep.models.base import Head
    from ftsweep.tasks.base import Task

_OWN = "_own_head"  # the attribute under which the base keeps its own modules while copies of them train


class LinearProbe(Strategy):
    """Only the head trains, in float32; the body is frozen and in eval mode, so that its features never change."""

    changes_base: ClassVar[bool] = False
    is_reference: ClassVar[bool] = True
    starts_as_base = True
    has_frozen_body: ClassVar[bool] = True
    exports_whole: ClassVar[bool] = True

    def __init__(self) -> None:
        """No settings: `training.weight_decay` is the probe's L2 penalty."""

    def check_task(self, task: Task) -> None:
        check_has_head(task, "head")

    def check_training(self, task: Task, training: TrainingSettings) -> None:
        super().check_training(task, training)
        if training.compile:
            raise ConfigError(
                "this strategy trains no more than a head: the model's body takes no training pass",
                where="training.compile",
                remedy="Leave it false here; a branch's `overrides` may set it for the others.",
            )

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        own = head_modules(base, head)
        for name, module in own.items():
            base.set_submodule(name, _copy(module))
        base.__dict__[_OWN] = own
        redraw_fresh_modules(base, head)
        base.requires_grad_(False)
        for name in own:
            train_in_float32(base.get_submodule(name))
        return base

    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        end_checkpointing(model)
        for name, module in model.__dict__.pop(_OWN).items():
            model.set_submodule(name, module)
        return model.requires_grad_(False)

    def set_training(self, model: PreTrainedModel) -> None:
        train_what_trains(model)

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        save_trained(model, folder)

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        restore_trained(model, folder)


def _copy(module: nn.Module) -> nn.Module:
    """A copy that keeps the marks by which loaded weights are told from new ones."""
    copied = deepcopy(module)
    for original, weight in zip(module.parameters(), copied.parameters(), strict=True):
        if hasattr(original, "_is_hf_initialized"):
            weight._is_hf_initialized = original._is_hf_initialized  # type: ignore[attr-defined]
    return copied
