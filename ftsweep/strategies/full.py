"""Full fine-tuning: every weight trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ftsweep.errors import ModelError
from ftsweep.strategies.base import Strategy, end_checkpointing, redraw_fresh_modules

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ftsweep.models.base import Head

WEIGHTS = "model.safetensors"


class Full(Strategy):
    """All weights train, in the type that the base was loaded in."""

    changes_base: ClassVar[bool] = True
    starts_as_base: ClassVar[bool] = True

    def __init__(self) -> None:
        """No settings: what trains is everything."""

    def apply(self, base: PreTrainedModel, head: Head) -> PreTrainedModel:
        redraw_fresh_modules(base, head)
        return base.requires_grad_(True)

    def remove(self, model: PreTrainedModel) -> PreTrainedModel:
        end_checkpointing(model)
        return model.requires_grad_(False)

    def save(self, model: PreTrainedModel, folder: Path) -> None:
        # One file and the names that the model itself uses: `restore` reads it back without conversions.
        with _without_progress_bar():
            model.save_pretrained(folder, max_shard_size="1000TB", save_original_format=False)

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


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    from transformers.utils.logging import set_tqdm_hook

    previous = set_tqdm_hook(lambda factory, args, keywords: factory(*args, **{**keywords, "disable": True}))
    try:
        yield
    finally:
        set_tqdm_hook(previous)
