"""Full fine-tuning: every weight trains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ftsweep.errors import ModelError
from ftsweep.models.saving import save_whole
from ftsweep.strategies.base import Strategy, end_checkpointing, redraw_fresh_modules

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head

WEIGHTS = "model.safetensors"


class Full(Strategy):
    """All weights train, in the type that the base was loaded in."""

    changes_base: ClassVar[bool] = True
    starts_as_base = True
    exports_whole: ClassVar[bool] = True
    is_scalable = True

    def __init__(self) -> None:
        """No settings: what trains is everything."""

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        redraw_fresh_modules(base, head)
        return base.requires_grad_(True)

    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        end_checkpointing(model)
        return model.requires_grad_(False)

    def rescale(self, model: PreTrainedModel, head: Head, scale: float, start: Mapping[str, Tensor]) -> None:
        from ftsweep.strategies.rescale import rescale_weights

        rescale_weights(model, head, scale, start)

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        save_whole(model, folder)  # in the model's own names: `restore` reads it back without conversions

    def restore(self, model: PreTrainedModel, folder: Path) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load_model

        path = folder / WEIGHTS
        try:
            missing, unexpected = load_model(model, path, strict=False, device=str(model.device))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ModelError(f"cannot be read as weights of this model: {error}", where=str(path)) from error
        if missing or unexpected:
            names = ", ".join(sorted([*missing, *unexpected])[:3])
            raise ModelError(f"does not fit this model ({names})", where=str(path))
